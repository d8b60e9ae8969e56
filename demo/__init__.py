"""Real Airflow and the emulator on this machine: `make demo` and `make demo-ui`."""
