"""`make live`: the demo's story in a real AWS account, and questions to AWS whose answers no document gives.

Run it in an account that is there for such things. It says what it will make and cost, asks before it starts, and
removes everything however it ends; keys wait seven days for their deletion.
"""

from __future__ import annotations

import argparse
import json
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from console import BOLD, DIM, GREEN, RED, YELLOW, Console
from demo import REPLICATION_CONFIGURED, SEED, commands
from emulator import end_on_termination
from questions import QUESTIONS, Scene
from sandbox import Sandbox
from seed import Seeded, seed
from stack import Stack, inbox_of

TAG = "s3-replication-remediator-live"
# 2 keys at 1 USD a month for the hour, and some hundred requests: see the pages of prices of KMS, S3, SQS and Lambda.
COST = "less than 0.10 USD"
PATIENCE_SECONDS = 900


class Live:
    """The story, one chapter per method."""

    def __init__(self, console: Console, sandbox: Sandbox, chosen: argparse.Namespace, account: str) -> None:
        self._console = console
        self._sandbox = sandbox
        self._chosen = chosen
        self._account = account
        self._prefix = f"s3rr-live-{secrets.token_hex(4)}"
        # For what must come, however impatient somebody is: the queue alone gathers messages for 20 seconds.
        self._sure = max(30, chosen.patience)

    def announce(self, arn: str) -> None:
        say = self._console.say
        say(f"  account      {self._account}, as {arn}")
        say(f"  Regions      {self._chosen.region}, and {self._chosen.destination_region} for replicas")
        say(f"  makes        3 buckets, 2 KMS keys, 2 roles, 2 queues and a stack, named {self._prefix}-…")
        say(f"  tagged       {TAG}={self._prefix}: buckets, keys, roles and the stack with what is in it")
        say(f"  costs        {COST}: two keys for the time it runs, and some hundred requests")
        say(f"  takes        a quarter of an hour{', and an hour for the questions' if self._chosen.questions else ''}")
        say("  and removes everything at the end, also on failure and on Ctrl-C; keys wait 7 days for their deletion")

    def break_a_replication(self) -> Seeded:
        self._console.chapter("1. A rule that cannot work, for several reasons at once")
        renamed = {
            "amzn-s3-demo-source-bucket": f"{self._prefix}-source",
            "amzn-s3-demo-destination-bucket": f"{self._prefix}-destination",
            "s3-replication-remediator: allow": f"s3-replication-remediator: allow, {TAG}: {self._prefix}",
            "eu-west-1": self._chosen.region, "eu-central-1": self._chosen.destination_region,
        }
        with self._console.step("Make buckets, keys, a role and the rule"):
            seeded = seed(self._sandbox, SEED, renamed, self._sandbox.made)
            for bucket, region in ((seeded.bucket, seeded.region), (seeded.destination, seeded.destination_region)):
                self._sandbox.client("s3", region).put_bucket_tagging(
                    Bucket=bucket, Tagging={"TagSet": [{"Key": TAG, "Value": self._prefix}]}
                )
        self._console.say(f"  {seeded.bucket} -> {seeded.destination} as {seeded.role}")
        self._console.say(f"  S3 answers HTTP {seeded.accepted_with}, and tells no one that nothing will arrive.", BOLD)
        return seeded

    def deploy(self) -> Stack:
        self._console.chapter("2. The remediator, as deployed by default: it tells, and may write nothing")
        artifacts, region = f"{self._prefix}-artifacts", self._chosen.region
        self._sandbox.made("bucket", region, artifacts)
        self._sandbox.made("queue", region, inbox_of(self._prefix))
        self._sandbox.made("stack", region, self._prefix)
        with self._console.step("Deploy template.yaml with Mode=dry-run"):
            return Stack(
                self._sandbox, self._chosen.bootstrap, self._prefix, region, artifacts, {TAG: self._prefix}
            )

    def hear_of_failures(self, seeded: Seeded) -> str:
        """A queue to which S3 tells of failed objects, for the questions."""
        sqs, name = self._sandbox.client("sqs", seeded.region), f"{self._prefix}-failures"
        self._sandbox.made("queue", seeded.region, name)
        url = str(sqs.create_queue(QueueName=name, tags={TAG: self._prefix})["QueueUrl"])
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": arn, "Condition": {"StringEquals": {"aws:SourceAccount": self._account}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        self._sandbox.client("s3", seeded.region).put_bucket_notification_configuration(
            Bucket=seeded.bucket, NotificationConfiguration={"QueueConfigurations": [
                {"QueueArn": arn, "Events": ["s3:Replication:OperationFailedReplication"]},
            ]},
        )
        return url

    def tell(self, stack: Stack, scene: Scene) -> None:
        self._console.chapter("3. CloudTrail records PutBucketReplication; EventBridge puts it on the stack's queue")
        with self._console.step("Put the rule again, now that the stack is there, and wait for the notification"):
            scene.put_rule(scene.configuration())
            try:
                report = self._next_report(stack, self._chosen.patience)
            except TimeoutError:
                report = None
        if report is None:
            self._console.say("  Nothing came: no trail of this account logs management events here?", YELLOW)
            with self._console.step("Put the recorded event on the stack's queue, and wait again"):
                self._put_on_queue(stack, scene.seeded.recorded(REPLICATION_CONFIGURED))
                report = self._next_report(stack, self._sure)
        self._show(report)

    def repair(self, stack: Stack, seeded: Seeded) -> None:
        self._console.chapter("4. The owner lets it repair what it can prove, and the same event comes again")
        with self._console.step("Deploy template.yaml with Mode=auto"):
            stack.redeploy(Mode="auto")
        with self._console.step("Wait for the notification"):
            self._put_on_queue(stack, seeded.recorded(REPLICATION_CONFIGURED))
            report = self._next_report(stack, self._sure)
        self._show(report)

    def do_what_only_a_person_may(self, stack: Stack, seeded: Seeded) -> None:
        self._console.chapter("5. What only a person may do: the metrics, and the key that is disabled")
        for finding in self._check(stack, seeded)["findings"]:
            if finding["severity"] in ("error", "warning"):
                self._console.say(f"  {finding['check']}: {finding['summary']}", YELLOW)
                for command in commands(finding["remedy"]["text"]):
                    self._run(command)

    def see_an_object_arrive(self, stack: Stack, scene: Scene) -> bool:
        self._console.chapter("6. Is it well now?")
        verdict = str(self._check(stack, scene.seeded)["verdict"])
        self._console.say(f"  {scene.seeded.bucket}: {verdict}", BOLD)
        with self._console.step("Wait for the change to hold everywhere, put an object, and wait for its replica"):
            scene.settle()
            status = scene.status_of("after-the-repair", scene.put_object("after-the-repair"))
        self._console.say(f"  after-the-repair: {status}", f"{BOLD};{GREEN if status == 'COMPLETED' else RED}")
        return verdict == "healthy" and status == "COMPLETED"

    def ask(self, stack: Stack, scene: Scene) -> None:
        self._console.chapter("7. Questions to AWS")
        with self._console.step("Deploy template.yaml with Mode=dry-run, so that nothing is repaired meanwhile"):
            stack.redeploy(Mode="dry-run")
        for question, ask in QUESTIONS.items():
            with self._console.step(question):
                try:
                    scene.answers[question] = ask(scene)
                except (ClientError, BotoCoreError) as error:
                    scene.answers[question] = f"could not be asked: {error}"
            self._console.say(f"    {scene.answers[question]}")
        scene.folder.mkdir(parents=True, exist_ok=True)
        path = scene.folder / "answers.json"
        asked = {"day": time.strftime("%Y-%m-%d", time.gmtime()), "region": scene.seeded.region}
        path.write_text(json.dumps(asked | {"answers": scene.anonymous(scene.answers)}, indent=2) + "\n")
        self._console.say(f"  Written to {scene.folder}, without what names the account; look at it before you share it.")

    def undo(self, stack: Stack, seeded: Seeded) -> None:
        self._console.chapter("8. What the remediator wrote is taken back")
        with self._console.step("Deploy template.yaml with Mode=auto"):
            stack.redeploy(Mode="auto")
        command = {"command": "undo", "bucket": seeded.bucket}
        plan = stack.invoke(command)["plan"]
        if plan is not None:
            report = stack.invoke(command | {"plan": plan["digest"]})
            self._console.say(f"  {report['outcome']['status']}")

    def tell_the_story(self) -> bool:
        """Whether it ends well."""
        seeded = self.break_a_replication()
        stack = self.deploy()
        scene = self.scene(seeded, self.hear_of_failures(seeded))
        self.tell(stack, scene)
        self.repair(stack, seeded)
        self.do_what_only_a_person_may(stack, seeded)
        is_well = self.see_an_object_arrive(stack, scene)
        if self._chosen.questions:
            self.ask(stack, scene)
        self.undo(stack, seeded)
        return is_well

    def scene(self, seeded: Seeded, failures: str) -> Scene:
        return Scene(
            self._sandbox.client, seeded, self._account, failures, self._chosen.patience,
            self._chosen.answers / self._prefix,
        )

    def _check(self, stack: Stack, seeded: Seeded) -> dict[str, Any]:
        with self._console.step("Invoke the function: check"):
            report: dict[str, Any] = stack.invoke({"command": "check", "bucket": seeded.bucket})
        return report

    @staticmethod
    def _next_report(stack: Stack, seconds: float) -> dict[str, Any]:
        """The next report that the topic brings; it brings alarms as well."""
        while True:
            for notification in stack.notifications(1, seconds):
                if "verdict" in notification.get("MessageAttributes", {}):
                    return notification

    def _put_on_queue(self, stack: Stack, body: str) -> None:
        sqs = self._sandbox.client("sqs", self._chosen.region)
        renamed = body.replace("amzn-s3-demo-source-bucket", f"{self._prefix}-source")
        sqs.send_message(QueueUrl=stack.outputs["QueueUrl"], MessageBody=renamed)

    def _show(self, notification: dict[str, Any]) -> None:
        self._console.say(f"  As it arrived from {notification['TopicArn']}", DIM)
        self._console.say(f"  {notification['Subject']}", BOLD)
        self._console.quote(notification["Message"])

    def _run(self, command: str) -> None:
        self._console.quote(f"$ {command}")
        environment = self._sandbox.owner_environment(AWS_REGION=self._chosen.region)
        with self._console.step(" ".join(command.split()[:3])):
            subprocess.run(["sh", "-c", command], env=environment, cwd=self._chosen.answers, check=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bootstrap", type=Path, help="the function's program, built for Lambda")
    parser.add_argument("--yes", action="store_true", help="do not ask before it starts")
    parser.add_argument("--account", help="go on only if this is the account (12 digits)")
    parser.add_argument("--region", help="where the source lies; the Region that is set, if it is not named")
    parser.add_argument("--destination-region", help="where replicas go; eu-central-1, or eu-west-1 from there")
    parser.add_argument("--no-questions", dest="questions", action="store_false", help="tell the story alone")
    parser.add_argument("--patience", type=float, default=PATIENCE_SECONDS, help="longest wait for AWS, in seconds")
    parser.add_argument("--answers", type=Path, default=Path("target/live"), help="folder for what AWS answered")
    return parser.parse_args()


def main() -> int:
    chosen = parse()
    end_on_termination()
    console = Console()
    sandbox = Sandbox(console)
    chosen.region = chosen.region or sandbox.region
    if not chosen.region:
        console.say("No Region is set: set AWS_REGION, or give --region", RED)
        return 2
    if not chosen.destination_region:
        chosen.destination_region = "eu-west-1" if chosen.region == "eu-central-1" else "eu-central-1"
    if not chosen.bootstrap.is_file():
        console.say(f"No such file: {chosen.bootstrap}; `make build` makes it", RED)
        return 2
    try:
        who = sandbox.identity(chosen.region)
    except (ClientError, BotoCoreError) as error:
        console.say(f"AWS does not say who you are: {error}", RED)
        return 2
    console.chapter("S3 replication remediator, live")
    live = Live(console, sandbox, chosen, who["Account"])
    live.announce(who["Arn"])
    if chosen.account and chosen.account != who["Account"]:
        console.say(f"This is account {who['Account']}, not {chosen.account}: nothing was done", RED)
        return 2
    if not chosen.yes and input("\nType the account's id to start, anything else to leave: ").strip() != who["Account"]:
        console.say("Nothing was done.")
        return 2
    chosen.answers.mkdir(parents=True, exist_ok=True)
    is_well = False
    try:
        is_well = live.tell_the_story()
    except KeyboardInterrupt:
        console.say("\nInterrupted.", YELLOW)
    finally:
        console.chapter("Removing what was made")
        is_clean = sandbox.clean_up()
    console.chapter("How long it took")
    console.durations()
    return 0 if is_well and is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
