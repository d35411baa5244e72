"""Options of XLA for tests that spend more time on compiling than on computing."""

QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
