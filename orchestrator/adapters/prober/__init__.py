"""Questions to devices without Ansible: one read-only round trip each, health probes, Wake-on-LAN."""
