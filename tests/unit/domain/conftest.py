"""Properties here are judged by their answers, not by how busy the machine is; nothing is left on the disk."""

from hypothesis import settings

settings.register_profile("domain", deadline=None, database=None, print_blob=True)
settings.load_profile("domain")
