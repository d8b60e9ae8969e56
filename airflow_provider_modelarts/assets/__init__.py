"""Assets: visualization jobs as what DAGs are scheduled on."""
