"""Use cases, one per module, over ports. Nothing here knows a library that talks to the outside."""
