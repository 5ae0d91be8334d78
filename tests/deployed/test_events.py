"""What machines are told: the events on a bus, as a rule's target gets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from conftest import Deploy
from emulator import ACCOUNT, Emulator
from seed import seed
from stack import REGION, Stack, wait_until
from test_replication import REPLICATION_CONFIGURED

BUS = "operations"


def queue_of(emulator: Emulator, name: str, service: str) -> str:
    """The URL of a queue to which a service may send."""
    statement = {
        "Effect": "Allow", "Principal": {"Service": service}, "Action": "sqs:SendMessage", "Resource": arn_of(name),
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    answer = emulator.client("sqs", REGION).create_queue(QueueName=name, Attributes={"Policy": policy})
    return str(answer["QueueUrl"])


def arn_of(queue: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"


class Listener:
    """A queue behind a rule of the bus, which takes everything that the function tells machines."""

    def __init__(self, emulator: Emulator) -> None:
        self._sqs = emulator.client("sqs", REGION)
        events = emulator.client("events", REGION)
        events.create_event_bus(Name=BUS)
        self._url = queue_of(emulator, "machines", "events.amazonaws.com")
        pattern = {"source": ["s3-replication-remediator"]}
        events.put_rule(Name="machines", EventBusName=BUS, EventPattern=json.dumps(pattern))
        events.put_targets(Rule="machines", EventBusName=BUS, Targets=[{"Id": "queue", "Arn": arn_of("machines")}])

    def events(self, count: int) -> list[dict[str, Any]]:
        received: list[dict[str, Any]] = []

        def enough() -> bool:
            answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                received.append(json.loads(message["Body"]))
            return len(received) >= count

        wait_until(enough, 30, lambda: f"{len(received)} of {count} events arrived")
        return received


def test_each_look_is_told_and_so_is_a_repair(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    listener = Listener(emulator)
    stack = deploy(Mode="auto", EventBusName=BUS)

    stack.send(seeded.recorded(REPLICATION_CONFIGURED))
    told = {event["detail-type"]: event for event in listener.events(2)}

    state = told["S3 Replication Check Result"]
    assert state["source"] == "s3-replication-remediator"
    assert f"arn:aws:s3:::{seeded.bucket}" in state["resources"]
    assert seeded.role_name in str(state["resources"])
    assert state["detail"]["schema"] == "s3-replication-remediator/report/v1"
    assert state["detail"]["bucket"]["name"] == seeded.bucket
    assert "omitted" not in state["detail"]

    repair = told["S3 Replication Repair Applied"]["detail"]
    assert (repair["kind"], repair["outcome"]["status"]) == ("repair", "applied")
    assert repair["id"] == state["detail"]["id"]


def test_what_a_person_asks_for_is_told_to_machines_too(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "healthy")
    listener = Listener(emulator)
    stack = deploy(EventBusName=f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{BUS}")

    report = stack.invoke({"command": "check", "bucket": seeded.bucket})
    (event,) = listener.events(1)
    assert event["detail"] == report
    assert not stack.silence(), "people hear of it only from their own answer"


def keep_from_the_bus(emulator: Emulator, stack: Stack) -> Callable[[], Any]:
    """Denies the function to put events; what is answered permits it again."""
    iam = emulator.client("iam", REGION)
    policy = {"RoleName": stack.outputs["FunctionRoleArn"].rsplit("/", 1)[1], "PolicyName": "guard"}
    denied = {"Effect": "Deny", "Action": "events:PutEvents", "Resource": "*"}
    iam.put_role_policy(**policy, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [denied]}))
    return lambda: iam.delete_role_policy(**policy)


def test_a_repair_of_which_the_bus_did_not_hear_is_told_when_it_takes_events_again(
    emulator: Emulator, deploy: Deploy
) -> None:
    seeded = seed(emulator, "many-reasons")
    listener = Listener(emulator)
    stack = deploy(Mode="auto", EventBusName=BUS)
    stack.hurry(seconds=10, attempts=5)
    permit = keep_from_the_bus(emulator, stack)

    stack.send(seeded.recorded(REPLICATION_CONFIGURED))
    (notification,) = stack.notifications(1)
    assert "Repair: applied" in notification["Message"]
    permit()
    told = {event["detail-type"]: event["detail"] for event in listener.events(2)}
    repair = told["S3 Replication Repair Applied"]
    assert repair["kind"] == "earlier"
    assert repair["earlier"][0]["requestId"] in notification["Message"]
    assert not stack.silence(), "people heard of it"


def test_a_bus_that_refuses_keeps_the_message_and_does_not_stop_the_mail(emulator: Emulator, deploy: Deploy) -> None:
    """As an organization's guard may. Of a bus that is not there AWS says nothing: it takes the event and drops it."""
    seeded = seed(emulator, "many-reasons")
    Listener(emulator)
    stack = deploy(EventBusName=BUS)
    stack.hurry()
    keep_from_the_bus(emulator, stack)

    stack.send(seeded.recorded(REPLICATION_CONFIGURED))
    (notification,) = stack.notifications(1)
    assert seeded.bucket in notification["Subject"]
    assert len(stack.await_dead_letters(1)) == 1
    assert not stack.silence(), "the mail went out, so the retry is for the bus alone"


def test_a_chat_reads_the_same_news_in_its_own_form(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    sns, sqs = emulator.client("sns", REGION), emulator.client("sqs", REGION)
    topic = sns.create_topic(Name="chat")["TopicArn"]
    url = queue_of(emulator, "chat", "sns.amazonaws.com")
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn_of("chat"), Attributes={"RawMessageDelivery": "true"}
    )
    stack = deploy(ChatTopicArn=topic)
    stack.send(seeded.recorded(REPLICATION_CONFIGURED))
    (mail,) = stack.notifications(1)
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    chat = json.loads(message["Body"])
    assert (chat["version"], chat["source"]) == ("1.0", "custom")
    assert seeded.bucket in mail["Subject"] and seeded.bucket in json.dumps(chat["content"])
