"""Where the outside is touched: one room per thing, each behind a port of `application.ports`."""
