"""Drives a daemon at HOST:PORT with upstream's Python client.

Runs every scenario below in its order and prints one JSON line for each: its name and, when it
failed, how. The names are the contract with python.test.ts.
"""

import asyncio
import hashlib
import json
import logging
import os
import sys
import tempfile
import traceback

import cbor2
from katzenpost_thinclient import Config, ThinClient, find_services
from katzenpost_thinclient.core import (
    BoxAlreadyExistsError,
    BoxIDNotFoundError,
    StartResendingCancelledError,
    TombstoneError,
)

SCENARIOS = []

# The longest wait for anything, in seconds. No scenario that passes comes near.
LONGEST = 120


def scenario(function):
    SCENARIOS.append(function)
    return function


class World:
    """A connected client, and what scenarios share."""

    def __init__(self, config_path):
        self.config_path = config_path
        self.client = None

    async def connect(self, **handlers):
        client = ThinClient(Config(self.config_path, **handlers))
        await client.start(asyncio.get_running_loop())
        return client

    async def write(self, plaintext, write_cap, index, **flags):
        sealed = await self.client.encrypt_write(plaintext, write_cap, index)
        await self.client.start_resending_encrypted_message(
            None, write_cap, index, 0,
            sealed.envelope_descriptor, sealed.message_ciphertext, sealed.envelope_hash, **flags)
        return sealed.next_message_box_index

    async def start_read(self, client, read_cap, index, **flags):
        sealed = await client.encrypt_read(read_cap, index)
        return sealed, asyncio.ensure_future(client.start_resending_encrypted_message(
            read_cap, None, index, 0,
            sealed.envelope_descriptor, sealed.message_ciphertext, sealed.envelope_hash, **flags))

    async def read(self, read_cap, index, **flags):
        sealed, result = await self.start_read(self.client, read_cap, index, **flags)
        return (await result).plaintext, sealed.next_message_box_index

    async def write_all(self, elements):
        """Writes elements to a new temporary stream; gives its write capability."""
        temporary = await self.client.new_keypair(os.urandom(32))
        index = temporary.first_message_index
        for element in elements:
            index = await self.write(element, temporary.write_cap, index)
        return temporary.write_cap

    async def read_while(self, read_cap, index, length):
        content = b""
        while len(content) < length:
            part, index = await self.read(read_cap, index)
            content += part
        return content


async def expect(error, awaitable):
    try:
        await awaitable
    except error:
        return
    raise AssertionError(f"{error.__name__} was to be raised")


@scenario
async def connect(world):
    world.client = await world.connect()
    assert world.client.is_connected()
    assert world.client.pki_document()["Version"] == "v1"
    geometry = world.client.pigeonhole_geometry
    geometry.validate()
    assert geometry.max_plaintext_payload_length > 0
    assert world.client.geometry.UserForwardPayloadLength > 0


@scenario
async def services(world):
    for capability in ("echo", "courier"):
        found = world.client.get_services(capability)
        assert found, capability
        node, queue = found[0].to_destination()
        assert len(node) == 32 and 1 <= len(queue) <= 32
    assert find_services("no such service", world.client.pki_document()) == []


@scenario
async def echo(world):
    client = world.client
    node, queue = client.get_service("echo").to_destination()
    full = os.urandom(client.geometry.UserForwardPayloadLength)
    for payload in (b"", b"hello", full):
        reply = await client.blocking_send_message(payload, node, queue, timeout_seconds=LONGEST)
        assert len(reply) == client.geometry.ForwardPayloadLength
        assert reply[:len(payload)] == payload
        assert not any(reply[len(payload):])


@scenario
async def raw_document(world):
    client = world.client
    current = client.pki_document()["Epoch"]
    for asked in (0, current):
        payload, epoch = await client.get_pki_document_raw(asked)
        assert epoch == current
        certificate = cbor2.loads(payload)
        assert cbor2.loads(certificate["Certified"])["Epoch"] == current
        assert certificate["Signatures"]
    try:
        await client.get_pki_document_raw(1)
    except Exception as error:
        assert "Service unavailable" in str(error), error
    else:
        raise AssertionError("epoch 1 has no document")


@scenario
async def authorities(world):
    listed = await world.client.get_directory_authorities()
    payload, _ = await world.client.get_pki_document_raw()
    signers = set(cbor2.loads(payload)["Signatures"])
    assert signers <= {authority["identity_key_hash"] for authority in listed}
    assert all("PUBLIC KEY" in authority["identity_public_key_pem"] for authority in listed)


@scenario
async def resume(world):
    first = await world.connect()
    keys = await first.new_keypair(os.urandom(32))
    _, reading = await world.start_read(first, keys.read_cap, keys.first_message_index)
    # What waits for its tick when the connection ends is lost. Packets leave in order: when a later
    # one is answered, that of the read has left.
    await asyncio.sleep(0)
    destination = first.get_service("echo").to_destination()
    await first.blocking_send_message(b"", *destination, timeout_seconds=LONGEST)
    [query_id] = first.response_queues
    first.disconnect()
    await world.write(b"while you were away", keys.write_cap, keys.first_message_index)

    again = ThinClient(Config(world.config_path))
    again.instance_token = first.instance_token
    answers = again.response_queues[query_id] = asyncio.Queue()
    await again.start(asyncio.get_running_loop())
    answer = await asyncio.wait_for(answers.get(), LONGEST)
    assert answer["plaintext"] == b"while you were away"
    again.stop()
    reading.cancel()


@scenario
async def write_and_read(world):
    keys = await world.client.new_keypair(os.urandom(32))
    assert (len(keys.write_cap), len(keys.read_cap)) == (168, 136)
    longest = os.urandom(world.client.pigeonhole_geometry.max_plaintext_payload_length)
    index = keys.first_message_index
    after = await world.write(b"first box", keys.write_cap, index)
    await world.write(longest, keys.write_cap, after)
    plaintext, next_index = await world.read(keys.read_cap, index)
    assert plaintext == b"first box"
    assert next_index == after == await world.client.next_message_box_index(index)
    assert (await world.read(keys.read_cap, after))[0] == longest
    counters = [await world.client.get_message_box_index_counter(i) for i in (index, after)]
    assert counters[1] == counters[0] + 1


@scenario
async def sequence(world):
    keys = await world.client.new_keypair(os.urandom(32))
    messages = [f"message {number}".encode() for number in range(8)]
    index = keys.first_message_index
    for message in messages:
        index = await world.write(message, keys.write_cap, index)
    index = keys.first_message_index
    for message in messages:
        plaintext, index = await world.read(keys.read_cap, index)
        assert plaintext == message


@scenario
async def read_before_write(world):
    keys = await world.client.new_keypair(os.urandom(32))
    _, reading = await world.start_read(world.client, keys.read_cap, keys.first_message_index)
    await asyncio.sleep(0.1)
    assert not reading.done()
    await world.write(b"at last", keys.write_cap, keys.first_message_index)
    assert (await asyncio.wait_for(reading, LONGEST)).plaintext == b"at last"


@scenario
async def box_not_found_without_retry(world):
    keys = await world.client.new_keypair(os.urandom(32))
    await expect(BoxIDNotFoundError, world.read(
        keys.read_cap, keys.first_message_index, no_retry_on_box_id_not_found=True))


@scenario
async def box_already_exists(world):
    keys = await world.client.new_keypair(os.urandom(32))
    index = keys.first_message_index
    strict = {"no_idempotent_box_already_exists": True}
    await world.write(b"one", keys.write_cap, index, **strict)
    await world.write(b"one", keys.write_cap, index, **strict)
    await expect(BoxAlreadyExistsError, world.write(b"two", keys.write_cap, index, **strict))
    assert (await world.read(keys.read_cap, index))[0] == b"one"


@scenario
async def cancel(world):
    keys = await world.client.new_keypair(os.urandom(32))
    sealed, reading = await world.start_read(
        world.client, keys.read_cap, keys.first_message_index)
    await asyncio.sleep(0.05)
    await world.client.cancel_resending_encrypted_message(sealed.envelope_hash)
    await expect(StartResendingCancelledError, asyncio.wait_for(reading, LONGEST))
    await world.client.cancel_resending_copy_command(hashlib.blake2b(b"x", digest_size=32).digest())


@scenario
async def tombstone_range(world):
    keys = await world.client.new_keypair(os.urandom(32))
    index = keys.first_message_index
    for number in range(3):
        index = await world.write(b"soon gone", keys.write_cap, index)
    result = await world.client.tombstone_range(keys.write_cap, keys.first_message_index, 3)
    assert result.next == index and len(result.envelopes) == 3
    for envelope in result.envelopes:
        await world.client.start_resending_encrypted_message(
            None, keys.write_cap, envelope.box_index, None,
            envelope.envelope_descriptor, envelope.message_ciphertext, envelope.envelope_hash,
            no_idempotent_box_already_exists=True)
    for envelope in result.envelopes:
        await expect(TombstoneError, world.read(keys.read_cap, envelope.box_index))


@scenario
async def copy_to_one_destination(world):
    keys = await world.client.new_keypair(os.urandom(32))
    payload = os.urandom(4000)
    made = await world.client.create_courier_envelopes_from_payload(
        payload, keys.write_cap, keys.first_message_index, True, True)
    await world.client.start_resending_copy_command(await world.write_all(made.envelopes))
    assert await world.read_while(keys.read_cap, keys.first_message_index, 4000) == payload


@scenario
async def copy_to_two_destinations(world):
    client = world.client
    both = [await client.new_keypair(os.urandom(32)) for _ in range(2)]
    payloads = [os.urandom(2000), os.urandom(1200)]
    destinations = [
        {"payload": payload, "write_cap": keys.write_cap, "start_index": keys.first_message_index}
        for keys, payload in zip(both, payloads)
    ]
    first = await client.create_courier_envelopes_from_multi_payload(
        destinations[:1], is_start=True, is_last=False)
    second = await client.create_courier_envelopes_from_multi_payload(
        destinations[1:], is_start=False, is_last=True, buffer=first.buffer)
    elements = (first.envelopes or []) + second.envelopes
    await client.start_resending_copy_command(await world.write_all(elements))
    for keys, payload in zip(both, payloads):
        index = keys.first_message_index
        assert await world.read_while(keys.read_cap, index, len(payload)) == payload


@scenario
async def tombstones_by_copy(world):
    keys = await world.client.new_keypair(os.urandom(32))
    await world.write(b"soon gone", keys.write_cap, keys.first_message_index)
    made = await world.client.create_courier_envelopes_from_tombstone_range(
        keys.write_cap, keys.first_message_index, 2, is_start=True, is_last=True)
    await world.client.start_resending_copy_command(await world.write_all(made.envelopes))
    await expect(TombstoneError, world.read(keys.read_cap, keys.first_message_index))


@scenario
async def vouchers(world):
    client = world.client
    keys = await client.new_keypair(os.urandom(32))
    minted = await client.voucher_mint(keys.write_cap, "newcomer")
    inducted = await client.voucher_induct(minted.voucher, minted.voucher_payload, b"welcome")
    assert inducted.display_name == "newcomer"
    opened = await client.voucher_open(
        minted.voucher_secret_key, inducted.sealed_reply, keys.write_cap)
    assert opened.who_reply == b"welcome"


@scenario
async def read_outlives_the_connection(world):
    lost = asyncio.Event()

    async def on_disconnected(_event):
        lost.set()

    client = await world.connect(on_daemon_disconnected=on_disconnected)
    keys = await client.new_keypair(os.urandom(32))
    _, reading = await world.start_read(client, keys.read_cap, keys.first_message_index)
    await asyncio.sleep(0.1)
    client.socket.shutdown(2)
    await asyncio.wait_for(lost.wait(), LONGEST)
    await world.write(b"meanwhile", keys.write_cap, keys.first_message_index)
    assert (await asyncio.wait_for(reading, LONGEST)).plaintext == b"meanwhile"
    client.stop()


@scenario
async def stop(world):
    world.client.stop()


async def main():
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "thinclient.toml")
        with open(path, "w") as file:
            file.write(f'[Dial.Tcp]\nAddress = "{sys.argv[1]}"\nNetwork = "tcp"\n')
        world = World(path)
        left_out = sys.argv[2:]
        for function in SCENARIOS:
            if function.__name__ in left_out:
                continue
            error = None
            try:
                await asyncio.wait_for(function(world), LONGEST)
            except Exception:
                error = traceback.format_exc()
            print(json.dumps({"scenario": function.__name__, "error": error}), flush=True)


asyncio.run(main())
