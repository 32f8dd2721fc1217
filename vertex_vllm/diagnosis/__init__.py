"""Why a deployment failed: from log lines and services' errors to a cause, and to a change of the config."""
