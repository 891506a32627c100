.PHONY: molecule molecule-all mutate-roles new-role role-docs
molecule: $(READY) ## one scenario of a role: ROLE=os_update or ROLE=os_update_alternative [PLATFORM=debian12]
	@test -n "$(ROLE)" || { echo "say which: make molecule ROLE=os_update [PLATFORM=debian12]" >&2; exit 2; }
	@python -m deskside_lab.try_role $(if $(PLATFORM),--platform $(PLATFORM)) $(ROLE)

molecule-all: $(READY) ## every scenario of every role
	@python -m deskside_lab.try_role $(if $(PLATFORM),--platform $(PLATFORM))

mutate-roles: $(READY) ## drop each task of each role in turn: something must turn red [ROLE=os_update]
	@python tests/molecule/mutate.py $(ROLE)

new-role: $(READY) ## scaffold a role with its scenarios: NAME=printer_driver
	@test -n "$(NAME)" || { echo "say what it is called: make new-role NAME=printer_driver" >&2; exit 2; }
	@python -m deskside_lab.new_role $(NAME)

role-docs: $(READY) ## write the tables of variables in roles/*/README.md again
	@python -m deskside_lab.role_readme roles/*
