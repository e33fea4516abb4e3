"""The hub of the test: accounts of this machine, one password for all of them."""

import os

c = get_config()  # noqa: F821  JupyterHub puts it there

c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = "one for all"
c.Authenticator.allowed_users = {"teacher", "ann", "bob"}
c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
c.Spawner.start_timeout = c.Spawner.http_timeout = 120  # seconds, on a busy machine
c.Spawner.environment = {"PYTHONPATH": os.environ["PYTHONPATH"]}  # the book that is tested
