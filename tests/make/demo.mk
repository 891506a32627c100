.PHONY: demo demo-down
demo: ready ## build the practice office and run a whole patch night on it
	@python -m deskside_lab.demo

demo-down: $(READY) ## stop and remove the practice office
	@python -m deskside_lab.demo --down
