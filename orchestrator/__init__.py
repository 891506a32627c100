"""Deskside: decides when work may touch which devices, carries it out, tells the people and proves what was done."""
