.PHONY: demo demo-down demo-check
demo: ready ## build the practice office and run a whole patch night on it
	@python -m deskside_lab.demo

demo-down: $(READY) ## stop and remove the practice office
	@python -m deskside_lab.demo --down

demo-check: $(READY) ## after make demo: compare its report with the devices' dpkg.log and the mailboxes
	@python -m tests.e2e.check_demo
