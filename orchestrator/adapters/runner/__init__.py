"""Everything that starts Ansible: one owner of ansible-runner, its containment, its events and its command line."""
