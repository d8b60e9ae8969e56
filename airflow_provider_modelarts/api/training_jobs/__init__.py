"""Training jobs, REST v2: phases, models, parameters and operations."""
