"""Creates stacks in moto, an emulator of AWS. Reads [{"doc": CloudFormation,
"parameters": {name: value}}] and writes, for each, {"status": status,
"resources": [logical ID]}."""

import json
import sys

try:
    import boto3
    from moto import mock_aws
except ImportError as e:
    sys.exit("missing: %s" % e)


@mock_aws
def create(asked):
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="code.zip", Body=b"PK\x05\x06" + bytes(18))
    cfn = boto3.client("cloudformation", region_name="us-east-1")
    cfn.create_stack(
        StackName="tcbferry",
        TemplateBody=json.dumps(asked["doc"]),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in asked["parameters"].items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    made = cfn.describe_stack_resources(StackName="tcbferry")["StackResources"]
    return {
        "status": cfn.describe_stacks(StackName="tcbferry")["Stacks"][0]["StackStatus"],
        # moto says nothing about resources of types that it does not know.
        "resources": sorted(r["LogicalResourceId"] for r in made if "LogicalResourceId" in r),
    }


json.dump([create(asked) for asked in json.load(sys.stdin)], sys.stdout)
