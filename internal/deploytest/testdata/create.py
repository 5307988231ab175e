"""Creates the stack of a transformed template in moto, an emulator of AWS, with
the parameters given, and prints the status of the stack."""

import json
import sys

import boto3
from moto import mock_aws

asked = json.load(sys.stdin)
with mock_aws():
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="bucket")
    boto3.client("s3", region_name="us-east-1").put_object(Bucket="bucket", Key="code.zip", Body=b"PK\x05\x06" + bytes(18))
    cfn = boto3.client("cloudformation", region_name="us-east-1")
    cfn.create_stack(
        StackName="tcbferry",
        TemplateBody=json.dumps(asked["doc"]),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in asked["parameters"].items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    stack = cfn.describe_stacks(StackName="tcbferry")["Stacks"][0]
    resources = cfn.describe_stack_resources(StackName="tcbferry")["StackResources"]
    json.dump({"status": stack["StackStatus"], "resources": sorted(r["LogicalResourceId"] for r in resources if "LogicalResourceId" in r)}, sys.stdout)
