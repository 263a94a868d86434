"""providers/aws_signature: AWS's own test vectors, botocore's signatures, and requests that a simulated Bedrock gets signed."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from ops_center.providers.access import AwsAccess, access_to, aws_key
from ops_center.providers.aws_signature import AwsKey, sign
from ops_center.providers.google_tokens import GoogleTokens
from ops_center.providers.registry import provider_spec
from ops_center.transport.client import HttpClient
from plane import provider as provider_of
from plane import running_plane, snapshot, target

# AWS's Signature Version 4 test suite (aws-sig-v4-test-suite), as kept at
# https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite/v4 (2026-11).
KEY = AwsKey(access_key_id="AKIDEXAMPLE", secret_access_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYR"
    "qTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75"
    "YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9"
    "KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)


@pytest.mark.parametrize(
    ("method", "path", "signature"),
    [
        ("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),  # get-vanilla
        ("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),  # post-vanilla
        (  # get-vanilla-query-order-key-case
            "GET",
            "/?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (  # get-vanilla-utf8-query
            "GET",
            f"/?{quote('ሴ')}=bar",
            "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
        ),
    ],
)
def test_the_signatures_of_awss_own_suite(method: str, path: str, signature: str) -> None:
    url = f"https://example.amazonaws.com{path}"
    headers = dict(sign(KEY, method=method, url=url, body=b"", region="us-east-1", service="service", at=AT))
    assert headers == {
        "X-Amz-Date": "20150830T123600Z",
        "Authorization": (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            f"SignedHeaders=host;x-amz-date, Signature={signature}"
        ),
    }


def test_a_session_token_is_sent_and_signed() -> None:
    """post-sts-header-before."""
    key = AwsKey(
        access_key_id=KEY.access_key_id, secret_access_key=KEY.secret_access_key, session_token=TOKEN
    )
    url = "https://example.amazonaws.com/"
    headers = dict(sign(key, method="POST", url=url, body=b"", region="us-east-1", service="service", at=AT))
    assert headers["X-Amz-Security-Token"] == TOKEN
    assert headers["Authorization"].endswith(
        "SignedHeaders=host;x-amz-date;x-amz-security-token, "
        "Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"
    )


@pytest.mark.parametrize(
    ("query", "headers", "token", "signature"),
    [
        ("", [], None, "6bb33889098abfbc50e6b23873e3ea8cbe65190fe4e6dd836f821088d5a15449"),
        (
            "?b=a%20b&A=%2F",
            [("content-type", "application/json")],
            "tok/en==",
            "9584997efe3203155f8860b0d811add79615faa4343703775c0dc620042d7a4a",
        ),
    ],
)
def test_bedrocks_requests_are_signed_as_botocore_signs_them(
    query: str, headers: list[tuple[str, str]], token: str | None, signature: str
) -> None:
    """Signatures by botocore 1.44.8 (2026-11), which also agreed on 3,000 made-up requests. Every service but S3
    encodes the path once more, so that `%3A` is signed as `%253A`."""
    key = AwsKey(
        access_key_id=KEY.access_key_id, secret_access_key=KEY.secret_access_key, session_token=token
    )
    url = f"https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse{query}"
    body = b'{"messages":[]}'
    signed = sign(
        key, method="POST", url=url, body=body, region="us-east-1", service="bedrock", at=AT, headers=headers
    )
    assert dict(signed)["Authorization"].endswith(f"Signature={signature}")


def test_a_key_never_shows_its_secret() -> None:
    assert KEY.secret_access_key not in repr(KEY)


@pytest.mark.parametrize(
    ("credential", "key"),
    [
        ("AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ("AKIAIOSFODNN7EXAMPLE", None)),
        (
            "ASIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY:tok/en==",
            ("ASIAIOSFODNN7EXAMPLE", "tok/en=="),
        ),
        ("ABSKQmVkcm9ja0FQSUtleS1leGFtcGxl", None),
        ("bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29tLz9BY3Rpb249", None),
    ],
)
def test_an_iam_key_is_told_from_a_bedrock_key(credential: str, key: tuple[str, str | None] | None) -> None:
    found = aws_key(credential)
    assert (found and (found.access_key_id, found.session_token)) == key
    access = access_to(
        provider_spec("bedrock"), {"region": "us-east-1"}, credential, tokens=GoogleTokens(HttpClient().fetch)
    )
    assert isinstance(access, AwsAccess) == (key is not None)
    assert access.fixed == (() if key else (("Authorization", f"Bearer {credential}"),))


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_of_the_data_plane_is_signed_over_its_body(stream: bool) -> None:
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    async with running_plane() as plane:
        of = provider_of(plane.simulator, "bedrock", options={"region": "eu-central-1"})
        of = type(of)(
            **{f: getattr(of, f) for f in of.__struct_fields__}
            | {"credential": f"AKIAIOSFODNN7EXAMPLE:{secret}"}
        )
        plane.source.current = snapshot(target(of, "amazon.nova-lite-v1:0"))
        answer = await plane.chat(model="amazon.nova-lite-v1:0", stream=stream)
        assert answer.status_code == 200, answer.text
        log = plane.simulator.inference_requests[-1]
        assert log.path.startswith("/bedrock/model/amazon.nova-lite-v1%3A0/converse")
        at = datetime.strptime(log.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        again = sign(
            AwsKey(access_key_id="AKIAIOSFODNN7EXAMPLE", secret_access_key=secret),
            method="POST",
            url=plane.simulator.url + log.path,
            body=log.body,
            region="eu-central-1",
            service="bedrock",
            at=at,
        )
        assert dict(again)["Authorization"] == log.headers["authorization"]
        assert secret not in str(log.headers)
