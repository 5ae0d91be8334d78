"""The project's stack in the emulated account: deploy `template.yaml`, talk to its queue, topic and function."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from botocore.exceptions import WaiterError
from samtranslator.yaml_helper import yaml_parse

PROJECT = Path(__file__).resolve().parent.parent
TEMPLATE = PROJECT / "template.yaml"
MEMBER_TEMPLATE = PROJECT / "template-member.yaml"
NAME = "s3-replication-remediator"
MEMBER_NAME = "s3-replication-remediator-member"
REGION = "eu-west-1"
ARTIFACTS = "artifacts"


class Account(Protocol):
    """Whose clients are used: those of an emulated account, or of a real one."""

    def client(self, service: str, region: str) -> Any: ...

    def note(self, **what: Any) -> None: ...

    def permit_batches(self, role: str, queue: str) -> None: ...


class DeploymentError(Exception):
    """The stack did not come up; the message says which resource and why."""


class Stack:
    """A deployed stack."""

    def __init__(
        self, account: Account, bootstrap: Path, name: str = NAME, region: str = REGION, artifacts: str = ARTIFACTS,
        tags: Mapping[str, str] = MappingProxyType({}), **parameters: str,
    ) -> None:
        self._account = account
        self._tags = [{"Key": key, "Value": value} for key, value in tags.items()]
        self._name = name
        self._region = region
        self._cloudformation = account.client("cloudformation", region)
        self._sqs = account.client("sqs", region)
        self._lambda = account.client("lambda", region)
        self._template_url = _packaged(account.client("s3", region), region, bootstrap, artifacts)
        self._cloudformation.create_stack(**self._request(parameters))
        self._await("stack_create_complete")
        self.outputs = self._outputs()
        self._note(parameters)
        account.permit_batches(role=self.outputs["FunctionRoleArn"].rsplit("/", 1)[1], queue=self.outputs["QueueArn"])
        self._inbox = self._subscribe()

    def redeploy(self, **parameters: str) -> None:
        """Deploy again with other parameters, as a person does who changes the mode."""
        self._cloudformation.update_stack(**self._request(parameters))
        self._await("stack_update_complete")
        self._note(parameters)

    def _note(self, parameters: dict[str, str]) -> None:
        self._account.note(role=self.outputs["FunctionRoleArn"].rsplit("/", 1)[1], parameters=parameters)

    def _request(self, parameters: dict[str, str]) -> dict[str, Any]:
        return {
            "StackName": self._name,
            "TemplateURL": self._template_url,
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            "Tags": self._tags,
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        }

    def _await(self, state: str) -> None:
        waiter = self._cloudformation.get_waiter(state)
        try:
            waiter.wait(StackName=self._name, WaiterConfig={"Delay": 1, "MaxAttempts": 600})
        except WaiterError as error:
            events = self._cloudformation.describe_stack_events(StackName=self._name)["StackEvents"]
            failures = [
                f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
                for event in events if event["ResourceStatus"].endswith("FAILED")
            ]
            raise DeploymentError("\n".join(failures) or str(error)) from error

    def _outputs(self) -> dict[str, str]:
        (stack,) = self._cloudformation.describe_stacks(StackName=self._name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def _subscribe(self) -> str:
        """A queue that receives what the topic tells, as a person's mailbox would."""
        inbox: str = self._sqs.create_queue(QueueName=inbox_of(self._name))["QueueUrl"]
        self._account.client("sns", self._region).subscribe(
            TopicArn=self.outputs["TopicArn"], Protocol="sqs",
            Endpoint=self._arn(inbox), Attributes={"RawMessageDelivery": "false"},
        )
        policy = {
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage", "Resource": self._arn(inbox),
                "Condition": {"ArnEquals": {"aws:SourceArn": self.outputs["TopicArn"]}},
            }],
        }
        self._sqs.set_queue_attributes(QueueUrl=inbox, Attributes={"Policy": json.dumps(policy)})
        return inbox

    def _arn(self, queue_url: str) -> str:
        answer = self._sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    def hurry(self, seconds: int = 3, attempts: int = 2) -> None:
        """Give a failing message up after seconds, where the template gives it five attempts over half an hour."""
        redrive = {"deadLetterTargetArn": self._arn(self.outputs["DeadLetterQueueUrl"]), "maxReceiveCount": attempts}
        self._sqs.set_queue_attributes(
            QueueUrl=self.outputs["QueueUrl"],
            Attributes={"VisibilityTimeout": str(seconds), "RedrivePolicy": json.dumps(redrive)},
        )

    def send(self, *bodies: str) -> None:
        """Put messages on the stack's queue, as EventBridge, S3 or SNS would, so that one batch takes them all.

        The emulator ignores the batching window: the queue's reader is held back meanwhile.
        """
        (mapping,) = self._lambda.list_event_source_mappings(
            FunctionName=self.outputs["FunctionName"]
        )["EventSourceMappings"]
        self._lambda.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        for start in range(0, len(bodies), 10):
            entries = [{"Id": str(at), "MessageBody": body} for at, body in enumerate(bodies[start:start + 10])]
            answer = self._sqs.send_message_batch(QueueUrl=self.outputs["QueueUrl"], Entries=entries)
            assert not answer.get("Failed"), answer["Failed"]
        self._lambda.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    def notifications(self, count: int, seconds: float = 30) -> list[dict[str, Any]]:
        """The next `count` notifications as SNS delivered them; fails when fewer arrive in time."""
        received: list[dict[str, Any]] = []

        def enough() -> bool:
            received.extend(json.loads(body) for body in self._take(self._inbox))
            return len(received) >= count

        wait_until(enough, seconds, lambda: f"{len(received)} of {count} notifications arrived\n{self.log()}")
        return received

    def silence(self, seconds: float = 2) -> list[dict[str, Any]]:
        """Whatever still arrives within some seconds: proof that nothing was told twice."""
        deadline = time.monotonic() + seconds
        received: list[dict[str, Any]] = []
        while time.monotonic() < deadline:
            received.extend(json.loads(body) for body in self._take(self._inbox))
        return received

    def await_dead_letters(self, count: int, seconds: float = 60) -> list[str]:
        """The next `count` messages that ended in the dead-letter queue."""
        received: list[str] = []

        def enough() -> bool:
            received.extend(self._take(self.outputs["DeadLetterQueueUrl"]))
            return len(received) >= count

        wait_until(enough, seconds, lambda: f"{len(received)} of {count} dead letters arrived\n{self.log()}")
        return received

    def await_empty_queue(self, seconds: float = 30) -> None:
        """Wait until every message is answered for, waiting and in flight alike."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

        def empty() -> bool:
            answer = self._sqs.get_queue_attributes(QueueUrl=self.outputs["QueueUrl"], AttributeNames=names)
            return all(answer["Attributes"][name] == "0" for name in names)

        wait_until(empty, seconds, lambda: f"messages are left in the queue\n{self.log()}")

    def _take(self, queue_url: str) -> list[str]:
        answer = self._sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        messages = answer.get("Messages", [])
        for message in messages:
            self._sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in messages]

    def invoke(self, payload: dict[str, Any]) -> Any:
        """Invoke the function directly and return its answer; an error of the function is an exception."""
        answer = self._lambda.invoke(FunctionName=self.outputs["FunctionName"], Payload=json.dumps(payload))
        body = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise FunctionError(json.dumps(body, indent=2))
        return body

    def log(self) -> str:
        """What the function wrote to its log."""
        logs = self._account.client("logs", self._region)
        groups = [f"/aws/lambda/{self._name}", f"/aws/lambda/{self.outputs['FunctionName']}"]
        lines: list[str] = []
        for group in groups:
            try:
                lines += [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
            except logs.exceptions.ResourceNotFoundException:
                continue
        return "\n".join(lines)


class FunctionError(Exception):
    """The function answered with an error."""


def inbox_of(stack: str) -> str:
    """The name of the queue that receives what a stack's topic tells."""
    return "inbox" if stack == NAME else f"{stack}-inbox"


def make_bucket(s3: Any, name: str, region: str) -> None:
    """Make a bucket; the first Region of S3 is none that a bucket can be asked for in."""
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **where)


def _packaged(s3: Any, region: str, bootstrap: Path, artifacts: str) -> str:
    """Upload the code and the template that names it, as `sam deploy` does, and return where the template is."""
    archive = io.BytesIO()
    # Stored, not deflated: the archive lives for seconds on the same machine.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as package:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        package.writestr(entry, bootstrap.read_bytes())
    make_bucket(s3, artifacts, region)
    s3.put_object(Bucket=artifacts, Key="function.zip", Body=archive.getvalue())

    template = load_template()
    template["Resources"]["Function"]["Properties"]["CodeUri"] = f"s3://{artifacts}/function.zip"
    s3.put_object(Bucket=artifacts, Key="template.json", Body=json.dumps(template))
    # CloudFormation takes a longer template from S3 than in the call.
    return f"{s3.meta.endpoint_url}/{artifacts}/template.json"


def deploy_member_role(cloudformation: Any, **parameters: str) -> dict[str, str]:
    """Deploy `template-member.yaml` into a trusted account, and return its outputs."""
    cloudformation.create_stack(
        StackName=MEMBER_NAME, TemplateBody=MEMBER_TEMPLATE.read_text(), Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=MEMBER_NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    (stack,) = cloudformation.describe_stacks(StackName=MEMBER_NAME)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def load_template(path: Path = TEMPLATE) -> dict[str, Any]:
    """A template, the project's own if none is named, with short tags such as `!Ref` written out."""
    template: dict[str, Any] = yaml_parse(path.read_text())
    return template


def wait_until(done: Callable[[], bool], seconds: float, complaint: Callable[[], str]) -> None:
    """Ask until it is done; complain when the time is up."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds:.0f} s {complaint()}")
        time.sleep(0.1)
