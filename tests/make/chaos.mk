.PHONY: chaos chaos-planted
chaos: ready ## kill the daemon in every phase of a night; an independent checker judges [SEED=n COUNT=15 KEEP=1]
	@PYTHONPATH=. python -m tests.chaos.drive $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT)) $(if $(KEEP),--keep)

chaos-planted: ready ## the checker must go red on four planted faults: guard, fence, outbox id, containment off
	@PYTHONPATH=. python -m tests.chaos.planted_nights $(FAULT)
