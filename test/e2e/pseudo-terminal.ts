/** Runs a command in a terminal of 80 columns with Python, because Node cannot make one. */
import { execFile, spawnSync } from "node:child_process";

const SCRIPT = `
import fcntl, os, pty, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    # Here, so that the command never sees a terminal without a size.
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.execvp(sys.argv[1], sys.argv[1:])
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if not data:
        break
    os.write(1, data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

/** Why there is no pseudo-terminal here; null if there is one. */
export function noPseudoTerminal(): string | null {
  const found = spawnSync("python3", ["-c", "import pty, fcntl, termios"]);
  return found.status === 0 ? null : "no python3 with a pseudo-terminal";
}

/** The output of a command in a terminal, including escape codes, and its exit code. */
export function runInTerminal(
  command: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly screen: string; readonly code: number }> {
  return new Promise((resolve) => {
    execFile(
      "python3",
      ["-c", SCRIPT, ...command],
      { env: { ...process.env, TERM: "xterm-256color", ...env }, maxBuffer: 1 << 24 },
      (error, stdout) => resolve({ screen: stdout, code: Number(error?.code ?? 0) }),
    );
  });
}
