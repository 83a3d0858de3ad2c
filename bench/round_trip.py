"""Requests a second of the Python client on a daemon at HOST:PORT: sequential, 64 in flight."""
import asyncio, json, logging, os, sys, tempfile, time

from katzenpost_thinclient import Config, ThinClient


async def main() -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False) as file:
        file.write(f'[Dial.Tcp]\nAddress = "{sys.argv[1]}"\nNetwork = "tcp"\n')
    client = ThinClient(Config(file.name))
    os.unlink(file.name)
    logging.disable(logging.CRITICAL)
    loop = asyncio.get_running_loop()
    await client.start(loop)
    keys = await client.new_keypair(bytes(32))
    index = keys.first_message_index

    async def rate(in_flight: int) -> float:
        end = time.perf_counter() + 1.0
        count = 0

        async def worker() -> None:
            nonlocal count
            while time.perf_counter() < end:
                await client.get_message_box_index_counter(index)
                count += 1

        start = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        return count / (time.perf_counter() - start)

    result = {"sequential": await rate(1), "parallel": await rate(64)}
    client.stop()
    print(json.dumps(result))


asyncio.run(main())
