"""Flags of the registries that naming services ask; names and defaults are those of brpc where it has them."""

from __future__ import annotations

from edge.flags.registry import define_bool, define_int32, define_string

_TOPIC = "upstream"

define_string(
    "ns_ca_file",
    "",
    "PEM file with the CAs for https:// questions to registries and lists, instead of the system's. "
    "Read again when it changes, as are -ns_cert_file and -ns_key_file.",
    topic=_TOPIC,
)
define_string(
    "ns_cert_file",
    "",
    "PEM file with our certificate chain, shown to registries that ask for one by https://; empty: none.",
    topic=_TOPIC,
)
define_string("ns_key_file", "", "PEM file with its key; empty: the key stands in -ns_cert_file.", topic=_TOPIC)
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
define_string(
    "consul_token_file",
    "",
    "File with the ACL token sent to Consul (X-Consul-Token); read before each question; empty: no token.",
    topic=_TOPIC,
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
define_string(
    "nacos_address",
    "",
    "Servers asked by nacos:// targets: http://host:port or https://host:port, several with commas between.",
    topic=_TOPIC,
)
define_string("nacos_service_discovery_path", "/nacos/v1/ns/instance/list", "Path of the list at Nacos.", topic=_TOPIC)
define_string("nacos_service_auth_path", "/nacos/v1/auth/login", "Path of the login at Nacos.", topic=_TOPIC)
define_int32("nacos_connect_timeout_ms", 200, "Longest TCP connect to Nacos.", topic=_TOPIC, unit="ms", lower=1)
define_string("nacos_username", "", "User at Nacos, encoded as in a URL; empty: no login.", topic=_TOPIC)
define_string(
    "nacos_password", "", "Password at Nacos, encoded as in a URL; empty: no login.", topic=_TOPIC, is_secret=True
)
define_string(
    "nacos_password_file",
    "",
    "File with the password at Nacos, as it is; read before each login, and used instead of -nacos_password.",
    topic=_TOPIC,
)
define_string(
    "discovery_api_addr", "", "URL that names the nodes of the cluster asked by discovery:// targets.", topic=_TOPIC
)
define_int32(
    "discovery_timeout_ms",
    3000,
    "Longest question to a discovery node; connecting a third.",
    topic=_TOPIC,
    unit="ms",
    lower=1,
)
define_string("discovery_env", "prod", "Environment of the instances asked for.", topic=_TOPIC)
define_string(
    "discovery_status", "1", "Instances asked for: 1 ready, 2 not ready, 3 all.", topic=_TOPIC, choices=("1", "2", "3")
)
define_string("discovery_zone", "", "Zone of the instances asked for; empty: all zones.", topic=_TOPIC)
define_string(
    "etcd_address",
    "http://127.0.0.1:2379",
    "Servers asked by etcd:// targets: http://host:port or https://host:port, several with commas between.",
    topic=_TOPIC,
)
define_int32("etcd_connect_timeout_ms", 200, "Longest TCP connect to etcd.", topic=_TOPIC, unit="ms", lower=1)
define_string("etcd_user", "", "User at etcd; empty: no login.", topic=_TOPIC)
define_string("etcd_password_file", "", "File with the password of -etcd_user; read before each login.", topic=_TOPIC)
