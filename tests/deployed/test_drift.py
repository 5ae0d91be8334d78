"""Changes by others after a look, and the look after a repair, through the deployed stack.

The emulator, as EventBridge itself, lets nobody put events of AWS: their patterns are asked whether they would take a
recorded event, and the event is put where they would have put it.
"""

from __future__ import annotations

import json
import re

from conftest import Deploy
from emulator import Emulator
from seed import EVENTS, Seeded, seed
from stack import REGION, Stack
from test_wiring import event_patterns

# What no rule takes: it failed, or it changes nothing.
NOT_TAKEN = {"disable-key-denied", "encrypt", "put-user-policy"}
RECORDED_REPLICA = "5678efab-56ef-78ab-90cd-567890abcdef"
RECORDED_ROLE = "s3crr_role_for_amzn-s3-demo-source-bucket"


def about(seeded: Seeded, name: str) -> str:
    """A recorded event about what was made."""
    text = (EVENTS / "drift" / f"{name}.json").read_text()
    text = text.replace(RECORDED_REPLICA, seeded.replica_key.rsplit("/", 1)[1])
    return text.replace(RECORDED_ROLE, seeded.role_name)


def delayed(emulator: Emulator, stack: Stack) -> int:
    answer = emulator.client("sqs", REGION).get_queue_attributes(
        QueueUrl=stack.outputs["QueueUrl"], AttributeNames=["ApproximateNumberOfMessagesDelayed"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessagesDelayed"])


def test_each_recorded_change_is_taken_by_one_rule(emulator: Emulator, deploy: Deploy) -> None:
    deploy()
    patterns = event_patterns(emulator)
    events = emulator.client("events", REGION)
    for file in sorted((EVENTS / "drift").glob("*.json")):
        taken = [
            rule for rule, pattern in patterns.items()
            if events.test_event_pattern(EventPattern=pattern, Event=file.read_text())["Result"]
        ]
        assert len(taken) == (file.stem not in NOT_TAKEN), f"{file.stem} {taken}"


def test_a_key_that_is_disabled_after_a_look_is_told_with_who_did_it(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "healthy")
    stack = deploy()
    # The look that learns on what the bucket depends.
    assert stack.invoke({"command": "check", "bucket": seeded.bucket})["verdict"] == "healthy"
    emulator.client("kms", seeded.destination_region).disable_key(KeyId=seeded.replica_key)
    stack.send(about(seeded, "disable-key"))
    (told,) = stack.notifications(1, seconds=90)
    assert told["Message"].startswith(f"BROKEN: {seeded.bucket}")
    assert "something that replication depends on was changed, DisableKey of" in told["Message"]
    assert "platform-admin" in told["Message"]
    stack.await_empty_queue()


def test_a_change_that_concerns_nobody_leads_to_no_look(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "healthy")
    stack = deploy()
    stack.invoke({"command": "check", "bucket": seeded.bucket})
    stack.send(
        (EVENTS / "drift" / "put-role-policy.json").read_text().replace(RECORDED_ROLE, "somebody-elses"),
        about(seeded, "put-user-policy"),
    )
    stack.await_empty_queue()
    assert delayed(emulator, stack) == 0
    assert "no bucket is known to depend on it" in stack.log()


def test_a_bucket_is_not_looked_at_for_a_key_that_it_used_to_depend_on(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "healthy")
    stack = deploy()
    stack.invoke({"command": "check", "bucket": seeded.bucket})
    s3 = emulator.client("s3", seeded.region)
    replication = s3.get_bucket_replication(Bucket=seeded.bucket)["ReplicationConfiguration"]
    another = emulator.client("kms", seeded.destination_region).create_key()["KeyMetadata"]["Arn"]
    for rule in replication["Rules"]:
        rule["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"] = another
    s3.put_bucket_replication(Bucket=seeded.bucket, ReplicationConfiguration=replication)
    stack.invoke({"command": "check", "bucket": seeded.bucket})
    stack.send(about(seeded, "disable-key"))
    stack.await_empty_queue()
    assert delayed(emulator, stack) == 0
    assert "no bucket is known to depend on it" in stack.log()


def test_a_repair_is_looked_at_again_and_told_only_where_it_did_not_hold(emulator: Emulator, deploy: Deploy) -> None:
    seeded = seed(emulator, "many-reasons")
    stack = deploy(Mode="auto")
    stack.send(seeded.recorded("cloudtrail/put-kms-rule.json"))
    (told,) = stack.notifications(1)
    assert "this function looks again then" in told["Message"]
    assert delayed(emulator, stack) == 1
    promised = promise(stack, seeded.bucket)
    # The same message, without the five minutes.
    stack.send(promised)
    stack.await_empty_queue()
    assert not stack.silence()
    iam = emulator.client("iam", REGION)
    for name in iam.list_role_policies(RoleName=seeded.role_name)["PolicyNames"]:
        if name.startswith("s3-replication-remediator-"):
            iam.delete_role_policy(RoleName=seeded.role_name, PolicyName=name)
    stack.send(promised)
    (again,) = stack.notifications(1)
    assert "looked again after a repair" in again["Message"]


def promise(stack: Stack, bucket: str) -> str:
    """What the function left itself in its queue, as its log says."""
    found = re.search(r"will look again .*promised=\W*(sha256:[0-9a-f]{64})", stack.log())
    assert found, stack.log()
    return json.dumps({"command": "check", "bucket": bucket, "promised": found[1]})


def test_what_the_function_writes_comes_back_to_it_and_goes_no_further(emulator: Emulator, deploy: Deploy) -> None:
    """CloudTrail tells of the function's own repair too: as its own it is dropped, as another's it is looked at once."""
    seeded = seed(emulator, "many-reasons")
    stack = deploy(Mode="auto")
    stack.send(seeded.recorded("cloudtrail/put-kms-rule.json"))
    stack.notifications(1)
    iam = emulator.client("iam", REGION)
    names = iam.list_role_policies(RoleName=seeded.role_name)["PolicyNames"]
    assert any(name.startswith("s3-replication-remediator-") for name in names)
    own_role = stack.outputs["FunctionRoleArn"].rsplit("/", 1)[1]
    own = about(seeded, "put-role-policy-by-own-role").replace("s3-replication-remediator-function", own_role)
    before = delayed(emulator, stack)
    stack.send(own)
    stack.await_empty_queue()
    assert delayed(emulator, stack) == before
    assert "was made by this function's own role" in stack.log()
    # Where the function did not know it for its own: one look, which finds nothing left to write or to tell.
    stack.send(own.replace(own_role, "somebody-else"))
    stack.await_empty_queue()
    assert delayed(emulator, stack) == before + 1
    cause = {"call": "PutRolePolicy", "resource": f"role/111122223333/{seeded.role_name}"}
    stack.send(json.dumps({"command": "check", "bucket": seeded.bucket, "drift": cause}))
    stack.await_empty_queue()
    assert iam.list_role_policies(RoleName=seeded.role_name)["PolicyNames"] == names
    assert delayed(emulator, stack) == before + 1
    assert not stack.silence()
