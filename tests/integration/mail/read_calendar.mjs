// Reads iCalendar files with ical.js and prints what it understood, one JSON list for all of them.
// Usage: node read_calendar.mjs DIRECTORY-WITH-node_modules FILE...
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [home, ...files] = process.argv.slice(2);
const entry = createRequire(resolve(home, "package.json")).resolve("ical.js");
const { default: ICAL } = await import(pathToFileURL(entry));

function read(path) {
  const calendar = new ICAL.Component(ICAL.parse(readFileSync(path, "utf8")));
  const events = calendar.getAllSubcomponents("vevent");
  if (events.length !== 1) throw new Error(`${path}: ${events.length} events`);
  const [event] = events;
  const attendee = event.getFirstProperty("attendee");
  const instant = (name) => event.getFirstPropertyValue(name).toJSDate().toISOString();
  return {
    method: calendar.getFirstPropertyValue("method"),
    uid: event.getFirstPropertyValue("uid"),
    sequence: event.getFirstPropertyValue("sequence"),
    dtstamp: instant("dtstamp"),
    dtstart: instant("dtstart"),
    dtend: instant("dtend"),
    attendee: attendee.getFirstValue(),
    name: attendee.getParameter("cn") ?? "",
    organizer: event.getFirstPropertyValue("organizer"),
    status: event.getFirstPropertyValue("status"),
    summary: event.getFirstPropertyValue("summary"),
    description: event.getFirstPropertyValue("description"),
    transp: event.getFirstPropertyValue("transp"),
    alarms: event.getAllSubcomponents("valarm").length,
  };
}

process.stdout.write(JSON.stringify(files.map(read)));
