"""Options, configuration, assembly of services: the only place that touches the global reactor."""
