from localcloud.core.pip_variables import variables_for_pip


def test_pip_goes_past_the_local_cloud_and_through_a_users_own_proxy() -> None:
    mine = {"HTTPS_PROXY": "http://proxy.example:3128", "SSL_CERT_FILE": "/mine.pem", "PIP_CERT": "/mine.pem"}
    clouds = {"HTTPS_PROXY": "http://127.0.0.1:20001", "SSL_CERT_FILE": "/state/bundle.pem", "PIP_CERT": "/mine.pem"}
    assert variables_for_pip(mine) == mine
    assert variables_for_pip({**clouds, "GCE_METADATA_HOST": "127.0.0.1:20002"}) == {
        "PIP_CERT": "/mine.pem",
        "GCE_METADATA_HOST": "127.0.0.1:20002",
    }
