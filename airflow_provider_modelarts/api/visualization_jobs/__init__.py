"""Visualization jobs, REST v1: TensorBoard and MindInsight servers."""
