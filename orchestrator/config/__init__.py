"""Fragments, merged, validated: how the files of an office directory become the settings the use cases see."""
