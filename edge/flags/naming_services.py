"""Flags of the registries that naming services ask; names and defaults are those of brpc where it has them."""

from __future__ import annotations

from edge.flags.registry import define_bool, define_int32, define_string

_TOPIC = "upstream"

define_string(
    "consul_agent_addr",
    "http://127.0.0.1:8500",
    "Agents asked by consul:// targets: http://host:port or https://host:port, several with commas between.",
    topic=_TOPIC,
)
define_string(
    "consul_service_discovery_url", "/v1/health/service/", "What stands before the service's name.", topic=_TOPIC
)
define_string(
    "consul_url_parameter", "?stale&passing", "What stands behind the service's name at Consul.", topic=_TOPIC
)
define_int32("consul_connect_timeout_ms", 200, "Longest TCP connect to Consul.", topic=_TOPIC, unit="ms", lower=1)
define_int32(
    "consul_blocking_query_wait_secs",
    60,
    "Consul holds a question this long when nothing changes.",
    topic=_TOPIC,
    unit="s",
    lower=1,
    upper=600,
)
define_bool(
    "consul_enable_degrade_to_file_naming_service",
    False,
    "While Consul has never answered, use the list in the file -consul_file_naming_service_dir plus service name.",
    topic=_TOPIC,
)
define_string("consul_file_naming_service_dir", "", "Folder of those files, with the slash at its end.", topic=_TOPIC)
