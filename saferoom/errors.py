"""What can go wrong, and what should be done about it?

    SaferoomError
    ├── Refusal           the room says no; a recorded outcome, never a fault      403
    ├── BadInput          the request or file cannot be read as what it claims     422
    ├── NotFound          no such thing, or not yours to know of                   404
    ├── Conflict          the world moved, or the key was used for something else  409
    ├── Unauthenticated   we do not know who is asking                             401
    ├── Unavailable       a part of the room is not there; try again               503
    ├── NotYet            accepted, and not there to be read for another moment    425
    ├── TooOften          slow down                                                429
    ├── Isolation         a protection is missing, so we stop                      503
    ├── Tampered          what should verify does not                              400
    └── Fault             a mistake of ours; nothing about it is told but its trace 500

Rules: a code is stable for ever; its sentence says why, its remedy what to do next;
neither ever holds a row's value, a key, or text from a native library.
The table below is the only place where codes are born; docs list it, by test.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple


class SaferoomError(Exception):
    """A code, why, and what to do; `detail` narrows the why without values."""

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 70

    def __init__(self, code: str, detail: str | None = None) -> None:
        entry = CODES[code]
        if entry.family is not type(self):
            raise TypeError(f"{code} belongs to {entry.family.__name__}")
        self.code = code
        self.detail = detail
        self.sentence = f"{entry.why} ({detail})" if detail else entry.why
        self.remedy = entry.remedy
        self.trace_id: str | None = None  # set where an answer or a log line names one
        super().__init__(f"{code}: {self.sentence} {self.remedy}")


class Refusal(SaferoomError):
    """The rules say no."""

    status = 403
    exit_code = 3


class BadInput(SaferoomError):
    """What was sent is not what it claims to be."""

    status = 422
    exit_code = 2


class NotFound(SaferoomError):
    """Nothing there that this caller may know of."""

    status = 404
    exit_code = 5


class Conflict(SaferoomError):
    """The state moved, or a key was reused."""

    status = 409
    exit_code = 7


class Unauthenticated(SaferoomError):
    """The caller is not known."""

    status = 401
    exit_code = 6


class Unavailable(SaferoomError):
    """A part of the room does not answer."""

    status = 503
    exit_code = 4


class Isolation(SaferoomError):
    """A protection is missing; we do not go on without it."""

    status = 503
    exit_code = 8


class Tampered(SaferoomError):
    """A signature, digest or proof does not hold."""

    status = 400
    exit_code = 1


class NotYet(SaferoomError):
    """Recorded, and readable in a moment."""

    status = 425
    exit_code = 9


class TooOften(SaferoomError):
    """Asked too often in a short time."""

    status = 429
    exit_code = 9


class Fault(SaferoomError):
    """A mistake of ours."""

    status = 500
    exit_code = 70


class Code(NamedTuple):
    """One row of the table: whose it is, why, and what would change it."""

    family: type[SaferoomError]
    why: str
    remedy: str


CODES: dict[str, Code] = {
    # Authority: may this be released at all?
    "ORG_INACTIVE": Code(
        Refusal,
        "The organisation is not admitted, or its admission was suspended.",
        "Ask the operator for the state of the admission.",
    ),
    "CONTRACT_SCOPE": Code(
        Refusal,
        "The organisation's contract does not cover this.",
        "Ask the operator to extend the contract's purposes, items or period.",
    ),
    "AUTH_MISSING": Code(
        Refusal,
        "The enterprise has not granted this model version.",
        "Ask the enterprise to grant this exact version.",
    ),
    "AUTH_EXPIRED": Code(
        Refusal,
        "The enterprise's grant is outside its period.",
        "Ask the enterprise for a new grant.",
    ),
    "AUTH_REVOKED": Code(
        Refusal,
        "The enterprise has revoked its grant.",
        "Respect the revocation; only a new grant would change it.",
    ),
    "AUTH_UNCONFIRMED": Code(
        Refusal,
        "The grant is of before entries of the log were lost; its revocation may be among them.",
        "Ask the enterprise to confirm it: the next grant of its chain, signed now.",
    ),
    "ERASED": Code(
        Refusal,
        "The enterprise's data were erased, and with them the answer.",
        "Nothing brings it back; the receipt still proves that it was given.",
    ),
    "AUTH_SCOPE": Code(
        Refusal,
        "The grant does not match this request.",
        "Use the version, purpose and outcomes that the enterprise signed.",
    ),
    "PURPOSE": Code(
        Refusal,
        "The purpose is not one that the room serves, or not this version's.",
        "Use a purpose of the financing-support family that the version was approved for.",
    ),
    "MIN_NECESSARY": Code(
        Refusal,
        "The model reads more than its purpose needs.",
        "Train without the views that are named; the lists stand in policies/purposes.toml.",
    ),
    "ROLE": Code(
        Refusal,
        "Your role may not do this.",
        "Ask a person whose role may; the table is in the documentation.",
    ),
    "SELF_APPROVE": Code(
        Refusal,
        "Whoever submits never approves.",
        "Ask another person to vote.",
    ),
    "VOTE_INVALID": Code(
        Refusal,
        "The vote does not fit this step or was cast before.",
        "Vote once, for a step that your role holds, on the digest as it is now.",
    ),
    "APPROVAL_MISSING": Code(
        Refusal,
        "The approvals that policy asks for are not complete.",
        "Ask the missing approvers to vote.",
    ),
    "MODEL_UNFILED": Code(
        Refusal,
        "The model version is not approved, or it was suspended or retired.",
        "Wait for the approval, or submit a new version.",
    ),
    "KEY_UNKNOWN": Code(
        Refusal,
        "The signing key is not enrolled, or it was replaced.",
        "Sign with the key that is enrolled now, or enrol a new one with two operators.",
    ),
    "KEY_BACKUP_EXPIRED": Code(
        Refusal,
        "This copy of the vault's keys has expired, so that erased data stay unreadable.",
        "Use a copy that is still in its time, and destroy this one.",
    ),
    "SIGNATURE_INVALID": Code(
        Refusal,
        "The signature does not fit the statement.",
        "Sign these exact canonical bytes again with your enrolled key.",
    ),
    "REPLAY": Code(
        Refusal,
        "This signed request was used before, or its time is too far from now.",
        "Sign a fresh request with a new nonce.",
    ),
    "NODE_CHANGED": Code(
        Refusal,
        "The node offers another list than was approved.",
        "Put the new list into node.toml and have two operators approve it.",
    ),
    "BUDGET_FULL": Code(
        Refusal,
        "The enterprise's budget for this bank group has too few bits left.",
        "Ask the enterprise whether it will sign a larger budget; spent bits never come back.",
    ),
    "CEILING_FULL": Code(
        Refusal,
        "The enterprise's ceiling over all banks has too few bits left.",
        "Ask the enterprise whether it will sign a higher ceiling; spent bits never come back.",
    ),
    "LEDGER_INCONSISTENT": Code(
        Refusal,
        "The account does not fit what was signed and released: somebody changed the database.",
        "The operator must compare the accounts with the log's releases before anything leaves.",
    ),
    "RATE_CAP": Code(
        Refusal,
        "The enterprise was evaluated too often in a short time.",
        "Wait, then ask again.",
    ),
    "POLICY_DENIED": Code(
        Refusal,
        "The active policy set denies this.",
        "See the named policy; two operators can activate another set.",
    ),
    "VIEW_UNAPPROVED": Code(
        Refusal,
        "The feature views are not the approved ones.",
        "Use the views of the room's catalogue as they are now.",
    ),
    "CLAIM_CAP": Code(
        Refusal,
        "As many different claims about this enterprise were tried as may be.",
        "Wait until the earlier answers no longer last; a claim that was tried gets its answer.",
    ),
    "QUALITY_GATE": Code(
        Refusal,
        "The model reads a feature whose source is below its quality gate in this snapshot.",
        "Nothing was evaluated or charged. Ask again after a snapshot in which GET /v1/quality"
        " closes none of its tables.",
    ),
    "K_ANON": Code(
        Refusal,
        "Too few enterprises stand behind this figure.",
        "Ask for a larger cohort; figures are told of 20 enterprises or more.",
    ),
    "DOMINANCE": Code(
        Refusal,
        "One enterprise makes up too much of this total.",
        "Use quantiles instead; a mean is told where nobody is more than half of the total.",
    ),
    "DIFFERENCING": Code(
        Refusal,
        "Together with figures told before, this would single out a few enterprises.",
        "Wait until more enterprises' data have changed, or use the figures told before.",
    ),
    "COHORT_CAP": Code(
        Refusal,
        "Your organisation was told figures of this feature for as many cohorts as may be.",
        "Use the figures told before; each further cohort would help to single enterprises out.",
    ),
    "ROW_OUTPUT": Code(
        Refusal,
        "This would be a row, or one enterprise's value.",
        "Ask for a count, mean, quantiles or a histogram of a cohort.",
    ),
    "OWN_RECORD_CAP": Code(
        Refusal,
        "The enterprise asked for its own record as often as it may in one day.",
        "Use the record that you have, and ask again tomorrow.",
    ),
    # Input: can it be read?
    "NOT_CANONICAL": Code(
        BadInput,
        "The bytes are not canonical JSON (RFC 8785).",
        "Write the value with sorted keys, no spaces, and integers only.",
    ),
    "FIELD_INVALID": Code(
        BadInput,
        "A field is missing, unknown, or has a value outside its range.",
        "Compare the request with the documented schema.",
    ),
    "USCC_INVALID": Code(
        BadInput,
        "The unified social credit code is not valid (GB 32100-2015).",
        "Check all 18 characters against the licence.",
    ),
    "MODEL_FORMAT": Code(
        BadInput,
        "The model's format is not accepted.",
        "Send LightGBM text, scorecard JSON or the live scikit-learn object; never a pickle.",
    ),
    "MODEL_MALFORMED": Code(
        BadInput,
        "The model cannot be read strictly.",
        "Save it again with the library's own writer, unmodified, and submit that.",
    ),
    "GOLDEN_MISSING": Code(
        BadInput,
        "The model comes without enough golden rows.",
        "Submit it with room.submit, which makes at least a thousand from the model itself.",
    ),
    "GOLDEN_UNVISITED": Code(
        BadInput,
        "Some leaf or bin of the model can be reached, and no golden row reaches it.",
        "Submit it with room.submit of this version, which makes a row for each.",
    ),
    "GOLDEN_DIFFERS": Code(
        BadInput,
        "A golden row has another score or grade here than in the library that made the model.",
        "Train and submit with the library versions of the lock; move a threshold off the score"
        " that it equals.",
    ),
    "MODEL_FEATURE_UNKNOWN": Code(
        BadInput,
        "The model reads a feature that the room's catalogue does not have.",
        "Train on names from room.catalogue().",
    ),
    "TOO_LARGE": Code(
        BadInput,
        "The request is larger than the room accepts.",
        "Send less at once.",
    ),
    "SOURCE_MALFORMED": Code(
        BadInput,
        "The source's data does not match its declaration.",
        "Compare the file with connector.toml and policies/facts.toml.",
    ),
    "CONNECTION_FILE": Code(
        BadInput,
        "The vault's file with the address of this source is missing, not private or not as"
        " described.",
        "Write it to HOME/vault/connections/<connector>, as docs/how-to/connect-a-source.md says,"
        " owned by the vault's user, mode 0600.",
    ),
    "SOURCE_ADDRESS": Code(
        BadInput,
        "The source's service lies where intake may not call.",
        "Name its host under [service] in connector.toml, a private one's network too, and have"
        " the connector approved again.",
    ),
    "POLICY_INVALID": Code(
        BadInput,
        "The policy files are not valid.",
        "Run `saferoom policy check` and mend what it names.",
    ),
    "MOCK_INVALID": Code(
        BadInput,
        "The declarations of mock data cannot be drawn from.",
        "Mend what is named in policies/mock; `saferoom policy mock` checks it.",
    ),
    "MOCK_UNDECLARED": Code(
        BadInput,
        "No mock data is declared for a feature of this name.",
        "Use names of room.catalogue(); for one of those, ask the operator to declare it.",
    ),
    "SETTING_INVALID": Code(
        BadInput,
        "A setting has a value that the room cannot use.",
        "Compare SAFEROOM_… variables with the documented settings.",
    ),
    "IDEMPOTENCY_KEY": Code(
        BadInput,
        "Every write needs an Idempotency-Key header of 16 to 64 letters, digits or dashes.",
        "Send a fresh random key, and the same one when you try again.",
    ),
    "KEY_FOLDER": Code(
        BadInput,
        "The key folder is missing, incomplete or readable by others.",
        "Point at a folder made by `saferoom keys`, with mode 0600 on its files.",
    ),
    "UNSIGNED": Code(
        BadInput,
        "This needs a signing key, and only a token was given.",
        "Connect with the key folder instead of the token.",
    ),
    "TRUST_MISSING": Code(
        BadInput,
        "No trust file says which vault is the room's.",
        "Get trust.json from the operator by another way than the room's address, compare its"
        " fingerprint (`saferoom keys show`), and put it into the key folder, or give its path.",
    ),
    "ADDRESS_INSECURE": Code(
        BadInput,
        "http:// to another machine shows tokens and requests to whoever listens on the way.",
        "Use the room's https:// address, or a tunnel that begins on 127.0.0.1.",
    ),
    "METHOD": Code(
        BadInput,
        "This address does not take this method.",
        "See /docs for the methods of each address.",
    ),
    # State and concurrency
    "NOT_FOUND": Code(
        NotFound,
        "There is no such object, or it is not yours.",
        "Check the identifier.",
    ),
    "IDEMPOTENCY_CONFLICT": Code(
        Conflict,
        "This idempotency key was used for another request.",
        "Use a fresh key for a new request.",
    ),
    "STATE": Code(
        Conflict,
        "The object's state does not allow this step.",
        "Look at its state, then choose a step that leads on from it.",
    ),
    "DUPLICATE": Code(
        Conflict,
        "The same object exists already.",
        "Use the existing one, or change the name.",
    ),
    "MOVED": Code(
        Conflict,
        "The data moved while the score was computed.",
        "Try again with the same idempotency key.",
    ),
    "HOME_BUSY": Code(
        Conflict,
        "Another room is running on this home.",
        "Stop it, or choose another --home.",
    ),
    "HOME_NEWER": Code(
        Conflict,
        "This home was written by a newer version of saferoom.",
        "Install that version or newer; an older one would not understand all of it.",
    ),
    "HOME_MISSING": Code(
        NotFound,
        "There is no room in this folder.",
        "Run `saferoom init --home DIR` first.",
    ),
    # Who is asking
    "TOKEN_MISSING": Code(
        Unauthenticated,
        "A bearer token is needed.",
        "Send `Authorization: Bearer …`; `saferoom login` gets one.",
    ),
    "TOKEN_INVALID": Code(
        Unauthenticated,
        "The token is not known, expired or withdrawn.",
        "Get a new one with `saferoom login`.",
    ),
    "TOKEN_ATTEMPTS": Code(
        TooOften,
        "Too many requests for a token failed from this address.",
        "Wait a minute, then sign with the key that is enrolled now.",
    ),
    "TOO_OFTEN": Code(
        TooOften,
        "Your organisation asked for this too often in a short time.",
        "Wait, then ask again; the operator sets the limits.",
    ),
    # Parts of the room
    "VAULT_UNAVAILABLE": Code(
        Unavailable,
        "The vault does not answer.",
        "Try again with the same idempotency key; the operator sees it in /readyz.",
    ),
    "VAULT_BEHIND": Code(
        Isolation,
        "The vault knows less than it was taught, and does not take it again.",
        "Nothing is scored. The operator should restore the vault's own folder from its newest"
        " backup; /readyz turns ready once it knows every lesson.",
    ),
    "LOG_BEHIND": Code(
        Isolation,
        "The room was set back: witnesses, sinks or tiles hold entries of its log that it lost.",
        "Nothing is released. The operator should stop it and run `saferoom restore`, which takes"
        " them from every surviving sink; what cannot be found is named there.",
    ),
    "VAULT_BUSY": Code(
        Unavailable,
        "The vault works on this request already, or on as many as it takes at once.",
        "Try again in a few seconds with the same idempotency key; nothing was evaluated.",
    ),
    "SOURCE_UNAVAILABLE": Code(
        Unavailable,
        "The source cannot be reached, or stopped in the middle.",
        "Try again; what it sent in this run was not kept, and the next one goes on from before.",
    ),
    "VAULT_STORAGE": Code(
        Unavailable,
        "The vault could not write to its disk, so nothing of this counts.",
        "The operator should make room; the next run takes what this one did not.",
    ),
    "CAGE_UNAVAILABLE": Code(
        Unavailable,
        "No cage could be started, so no model is run.",
        "The operator should run `saferoom doctor`.",
    ),
    "DATABASE_UNAVAILABLE": Code(
        Unavailable,
        "The database does not answer.",
        "Try again with the same idempotency key.",
    ),
    "NOT_DELIVERED": Code(
        Unavailable,
        "The release is recorded, but a mandatory log sink has not acknowledged it.",
        "Try again with the same idempotency key; nothing is charged twice.",
    ),
    "SINK_UNAVAILABLE": Code(
        Unavailable,
        "A mandatory log sink does not acknowledge.",
        "The operator should see to the sink named in /readyz.",
    ),
    "NOTIFIER_UNAVAILABLE": Code(
        Unavailable,
        "The way that notices are sent by does not take them.",
        "They wait and are sent again; the operator should look at SAFEROOM_NOTIFY_URL.",
    ),
    "ROOM_UNREACHABLE": Code(
        Unavailable,
        "The room does not answer at this address.",
        "Check the address, and that `saferoom serve` is running.",
    ),
    "PORT_BUSY": Code(
        Unavailable,
        "The port is taken.",
        "Choose another with --port, or stop the program that holds it.",
    ),
    "WITNESSES_SILENT": Code(
        Unavailable,
        "No quorum of witnesses has seen the log for a day, so nothing is released.",
        "The operator should get the witnesses back, or two operators sign a time-boxed override"
        " (`saferoom witness override`); then try again with the same idempotency key.",
    ),
    "WITNESSES_UNFIT": Code(
        Refusal,
        "The new set of witnesses does not follow from the one before.",
        "Name every earlier key as it was, at most with an end from then on or as stolen; new ones"
        " begin no earlier than the change; as many organisations as the quorum must stay. It"
        " starts from the newest trust file.",
    ),
    "WITNESSES_LATE": Code(
        Unavailable,
        "No quorum of witnesses has seen the log for half a day.",
        "After a whole day nothing is released: the operator should get the witnesses back.",
    ),
    "NODE_DOWN": Code(
        Unavailable,
        "A department's node does not answer as approved: silent, wrongly signed, old or changed.",
        "See HOME/nodes for the code and since when; ask its department, then ask the node again.",
    ),
    "WITNESS_UNAVAILABLE": Code(
        Unavailable,
        "A witness does not answer, or does not cosign this log's checkpoint.",
        "The operator should see whether it runs and knows this log's key.",
    ),
    "NOT_SEQUENCED": Code(
        NotYet,
        "The release is recorded; its receipt follows with the next checkpoint.",
        "Ask again in a second; a signed promise names the deadline.",
    ),
    "INTERNAL": Code(
        Fault,
        "The room made a mistake, and says nothing more about it here.",
        "Give the operator the trace id; nothing is charged twice for the same idempotency key.",
    ),
    "NOT_INSTALLED": Code(
        Unavailable,
        "This command needs the room's own packages.",
        "Run `make setup` in a checkout, or install saferoom[room].",
    ),
    "NOT_READY": Code(
        Unavailable,
        "The room has no published snapshot or no active policy set yet.",
        "Ask the operator to materialise the features and activate a policy set.",
    ),
    "CAGE_BROKEN": Code(
        Isolation,
        "The cage's self-test found an effect that should have failed.",
        "Run on a Linux kernel with seccomp; `saferoom doctor` names what is missing.",
    ),
    "PLATFORM": Code(
        Isolation,
        "The room runs on Linux only.",
        "Use Linux, a virtual machine or a container; verifying receipts works anywhere.",
    ),
    # Verification
    "SEAL_INVALID": Code(
        Tampered,
        "The sealed bytes do not open with this key.",
        "Check that they were sealed to this key and arrived unchanged.",
    ),
    "RECEIPT_INVALID": Code(
        Tampered,
        "The receipt is not what the room issued.",
        "Ask the room for the receipt again, and keep this one as evidence.",
    ),
    "LINEAGE_INVALID": Code(
        Tampered,
        "What a score is said to rest on does not hold together.",
        "Ask the room again, and keep this as evidence.",
    ),
    "LOOKS_INVALID": Code(
        Tampered,
        "The list of who looked is not one that the room signed as complete.",
        "Fetch it again, and keep this one as evidence.",
    ),
    "CHECKPOINT_UNTRUSTED": Code(
        Tampered,
        "The checkpoint is not signed by a key of the trust file.",
        "Get the trust file by another way than the checkpoint, and compare fingerprints.",
    ),
    "CHECKPOINT_UNWITNESSED": Code(
        Tampered,
        "Too few of the trust file's witnesses cosigned the checkpoint.",
        "Ask for the receipt again once they have, and get the newest trust file, should the"
        " witnesses have changed; if it stays so, others may be shown another log: compare"
        " checkpoints.",
    ),
    "TRUST_UNRELATED": Code(
        Conflict,
        "This trust file does not follow from the one that stands there.",
        "Only changes of witnesses that both founders signed may come in this way. Compare"
        " fingerprints with the operators; perhaps yours is the newer one.",
    ),
    "TRUST_OLDER": Code(
        Tampered,
        "Somebody cosigned the checkpoint whom your trust file does not name.",
        "The room's witnesses may have changed since you got it: get the newer trust file and"
        " `saferoom witness take` it, which checks that the founders whom you trust signed each"
        " change."
        " If yours is the newest, this is no checkpoint of this room's.",
    ),
    "PROOF_INVALID": Code(
        Tampered,
        "The proof does not lead to the checkpoint's root.",
        "Keep both as evidence: one of them is not from this log.",
    ),
    "CONSISTENCY": Code(
        Tampered,
        "The two checkpoints cannot be shown to be of one log.",
        "Give --log to prove it; if that fails, keep both as evidence of a fork.",
    ),
    "PROMISE_BROKEN": Code(
        Tampered,
        "The room promised to log an entry and did not by its deadline.",
        "Keep the signed promise and the checkpoint: together they prove it.",
    ),
    "ANSWER_INVALID": Code(
        Tampered,
        "The answer is not what a trusted vault signed for what was asked.",
        "Keep it as evidence and tell the operator; if the room has a new vault, get its new"
        " trust.json by another way than the room's address.",
    ),
    "CERTIFICATE_INVALID": Code(
        Tampered,
        "The certificate of an erasure does not hold.",
        "Ask the room for the certificate again, and compare the trust file.",
    ),
    "BUNDLE_INVALID": Code(
        Tampered,
        "The bundle is not what its auditor put together.",
        "Ask the auditor for it again, and keep this one as evidence.",
    ),
    "TIMESTAMP_INVALID": Code(
        Tampered,
        "The time stamp is not one of its authority over this checkpoint.",
        "Compare the pinned certificate; without the stamp the receipt still stands.",
    ),
    "TIMESTAMP_UNAVAILABLE": Code(
        Unavailable,
        "A time stamping authority did not answer as it should.",
        "Nothing waits for it; it is asked again.",
    ),
    "CONTENT_CHANGED": Code(
        Tampered,
        "Content does not have the digest that was agreed to.",
        "Restore the agreed content; nothing was released.",
    ),
}
