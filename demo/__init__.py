"""Real Airflow and the emulator on this machine: `make demo`, `make demo-ui`, and the end-to-end tests."""
