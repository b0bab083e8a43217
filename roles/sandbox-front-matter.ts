/** The part of a role's front matter that says what its commands may do. */
import { z } from 'zod';

export const sandboxFrontMatter = z
  .strictObject({
    /** Whether `command`, a line for /bin/sh, may be given; a program with its arguments always may. */
    shell: z.boolean().default(false),
    /** Whether commands share the network of the machine, its loopback included. */
    network: z.boolean().default(false),
    /** Whether a command is refused where there is no sandbox, instead of run without. */
    required: z.boolean().default(false),
    /** MiB of data of each process. */
    memory_mb: z.int().min(32).max(1_048_576).default(2_048),
    /** Processes and threads of one command at once. */
    processes: z.int().min(1).max(100_000).default(512),
    /** Seconds of processor time of each process. */
    cpu_seconds: z.int().min(1).max(86_400).default(3_600),
  })
  .prefault({});

export type SandboxRules = Readonly<z.output<typeof sandboxFrontMatter>>;

/** What a role may that says nothing. */
export const defaultSandboxRules: SandboxRules = sandboxFrontMatter.parse({});
