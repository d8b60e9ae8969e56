"""Real Airflow processes on loopback: the test rig, which the demos and the benchmarks use too."""
