"""Registration of IAM: service accounts and their keys, custom roles, workload identity pools."""

from localcloud.core.registration import Host, Registration
from localcloud.services.iam import iam_app

SERVICE = Registration(api="iam", hosts=(Host("iam.googleapis.com"),), app=iam_app.create_app)
