.PHONY: bench
bench: ready ## CPU of a patch night beside stock Ansible, pyinfra and a script [ROUNDS=3 STATES=nothing,one,old-lists,all DEVICES=6 HOSTS=100 KEEP=1]
	@PYTHONPATH=. python -m tests.benchmarks.bench $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(STATES),--states $(STATES)) \
	   $(if $(DEVICES),--devices $(DEVICES)) $(if $(HOSTS),--hosts $(HOSTS)) $(if $(KEEP),--keep)
