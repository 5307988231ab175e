"""Reads commands of the AWS CLI, each a JSON list of words, and prints for each, as JSON, what
the CLI would complain of, or "". The CLI reads its arguments, files and queries as always, and
botocore's model of the service checks the parameters; nothing is sent."""

import contextlib
import io
import json
import os
import sys

import awscli

os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_DEFAULT_REGION="us-east-1", AWS_PAGER="")

from awscli import clidriver
from awscli.customizations.cloudformation.deploy import DeployCommand
from awscli.customizations.s3 import subcommands
from botocore.validate import validate_parameters

# Version 2 has these, and version 1, which may be what is installed, has not.
ONLY_V2 = {("logs", "tail"): {"--since", "--follow", "--format", "--filter-pattern"}}
GLOBAL_V2 = ["--cli-binary-format"]


def check(self, service, operation, parameters, parsed_globals):
    model = self._session.get_service_model(service).operation_model(operation)
    for name in model.idempotent_members:
        parameters.setdefault(name, "made by botocore, of 36 characters...")
    validate_parameters(parameters, model.input_shape)
    return 0


clidriver.CLIOperationCaller.invoke = check
for command in (DeployCommand, subcommands.S3TransferCommand, subcommands.MbCommand, subcommands.RbCommand):
    command._run_main = lambda self, args, parsed_globals: 0

driver = clidriver.create_clidriver()


def complaint(words):
    words = words[1:]
    if tuple(words[:2]) in ONLY_V2:
        unknown = [w for w in words if w.startswith("--") and w not in ONLY_V2[tuple(words[:2])]]
        return "Unknown options: " + ", ".join(unknown) if unknown else ""
    for option in GLOBAL_V2:
        if option in words and awscli.__version__.startswith("1."):
            at = words.index(option)
            words = words[:at] + words[at + 2:]
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = driver.main(words)
    except SystemExit as e:
        code = e.code
    return out.getvalue().strip()[-400:] or "exit code %s" % code if code else ""


json.dump([complaint(words) for words in json.load(sys.stdin)], sys.stdout)
