/** Rules for the arguments of tool calls: what a sandbox may not be there to stop. */
import type { Scrubber } from '#chassis/secrets.ts';
import { destroyRules } from './destroy-rules.ts';
import { escapeRules } from './escape-rules.ts';
import { isCredential, isStartedLater, plainPath } from './paths.ts';
import { hasOption, inlineCode, operands, type Program, programsOf } from './programs.ts';
import { type Command, commandOf, readScript } from './shell.ts';
import { excerpt, type Rule, type Verdict } from './verdict.ts';

export interface CallSubject {
  readonly tool: string;
  /** The arguments as the model wrote them. */
  readonly text: string;
  /** Scripts for a shell. */
  readonly scripts: readonly string[];
  readonly programs: readonly Program[];
  /** Paths that are named as such, plain; not those in commands. */
  readonly paths: readonly string[];
  /** Whether the tool may write to its paths. */
  readonly writes: boolean;
  readonly secrets: Pick<Scrubber, 'finds'>;
}

/** No tool takes a longer script; what it is made of is read no further. */
const LONGEST_SCRIPT = 100_000;
const scriptKeys = new Set(['command', 'cmd', 'script', 'shell']);
const argvKeys = new Set(['argv', 'args', 'command', 'cmd']);
const pathKeys =
  /^(?:path|paths|file|files|file_?path|filename|directory|dir|uri|source|destination|target)$/i;

/** Reads the arguments of any tool, ours or of MCP. What is not JSON has no commands: the tool refuses it anyway. */
export function callSubject(tool: string, text: string, secrets: Pick<Scrubber, 'finds'>): CallSubject {
  const scripts: string[] = [];
  const paths: string[] = [];
  const commands: Command[] = [];
  for (const [key, value] of Object.entries(parsed(text))) {
    const list = (Array.isArray(value) ? value : [value]).filter((item) => typeof item === 'string');
    if (list.length === 0) continue;
    if (typeof value === 'string' && scriptKeys.has(key)) scripts.push(value.slice(0, LONGEST_SCRIPT));
    else if (Array.isArray(value) && argvKeys.has(key)) commands.push(commandOf(list));
    else if (pathKeys.test(key)) paths.push(...list.map(plainPath));
  }
  for (const script of scripts) commands.push(...readScript(script));
  const writes = !/read|list|get|find|search|stat/i.test(tool);
  return { tool, text, scripts, programs: programsOf(commands), paths, writes, secrets };
}

function parsed(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

const knownSecret: Rule<CallSubject> = ({ text, secrets }) => {
  // Escapes of JSON can spell any letter: what the tool gets is looked at as well.
  const plain = text.includes('\\u') ? JSON.stringify(parsed(text)) : '';
  const names = [...new Set([...secrets.finds(text), ...secrets.finds(plain)])];
  if (names.length === 0) return null;
  return { rule: 'known_secret', reason: `the arguments hold the value of ${names.join(', ')}` };
};

const hiddenCommand: Rule<CallSubject> = ({ scripts }) => {
  const script = scripts.find((text) => /[\u202a-\u202e\u2066-\u2069]/.test(text));
  if (script === undefined) return null;
  return { rule: 'hidden_text', reason: 'the command has characters that turn its text round' };
};

/** Their words are text, or what is looked for. */
const onlySays = new Set(['echo', 'printf', 'test', '[', '[[', 'mkdir', 'chmod', 'ssh-keygen', ':']);
const looksFor = new Set(['grep', 'egrep', 'fgrep', 'rg', 'sed', 'awk', 'gawk', 'jq']);

const metadata = /\b(?:169\.254\.169\.254|metadata\.google\.internal|100\.100\.100\.200)\b|fd00:ec2::254/;
const inCode = /["'`](~?\/[^"'`\s]{1,200})["'`]/g;

function credentialOf(program: Program): string | null {
  const { name, args, command } = program;
  const read = command.redirects.filter(
    ({ operator }) => operator.startsWith('<') && !operator.startsWith('<<'),
  );
  let words = onlySays.has(name) ? [] : args.filter(({ text }) => !/\s/.test(text)).map(({ text }) => text);
  // The first word is the pattern, not a file.
  if (looksFor.has(name)) words = words.filter((text) => !text.startsWith('-')).slice(1);
  const code = [...inlineCode(program).matchAll(inCode)].map((match) => match[1] ?? '');
  const all = [...words, ...read.map(({ target }) => target.text), ...code];
  return all.find((word) => isCredential(plainPath(word))) ?? null;
}

const readsCredentials: Rule<CallSubject> = ({ programs, paths }) => {
  const named = paths.find(isCredential) ?? firstText(programs, credentialOf);
  if (named !== null) return { rule: 'reads_credentials', reason: `it reads ${excerpt(named)}` };
  const asks = programs.find(
    (program) =>
      (/^(?:curl|wget|http|https|nc|ncat)$/.test(program.name) && hasOption(program, metadata)) ||
      metadata.test(inlineCode(program)),
  );
  return asks
    ? { rule: 'reads_credentials', reason: "it asks the cloud's metadata service for credentials" }
    : null;
};

function firstText(programs: readonly Program[], of: (program: Program) => string | null): string | null {
  for (const program of programs) {
    const text = of(program);
    if (text !== null) return text;
  }
  return null;
}

/** What a program writes to, as far as its words say. */
function written(program: Program): readonly string[] {
  const { name, args, command } = program;
  const targets = command.redirects
    .filter(({ operator }) => operator.includes('>'))
    .map(({ target }) => target.text);
  const files = operands(program);
  if (name === 'tee' || name === 'touch') targets.push(...files);
  if (/^(?:cp|mv|install|ln|rsync)$/.test(name)) targets.push(...files.slice(-1));
  if (name === 'dd') targets.push(...args.map(({ text }) => text).filter((text) => text.startsWith('of=')));
  if (name === 'sed' && hasOption(program, /^(?:-[a-zA-Z]*i|--in-place)/)) targets.push(...files.slice(1));
  return targets.map(plainPath);
}

const startsLater: Rule<CallSubject> = ({ programs, paths, writes }) => {
  const verdict = (what: string): Verdict => ({
    rule: 'starts_later',
    reason: `it writes ${excerpt(what)}, which others run`,
  });
  const path = writes ? paths.find(isStartedLater) : undefined;
  if (path !== undefined) return verdict(path);
  for (const program of programs) {
    const file = written(program).find(isStartedLater);
    if (file !== undefined) return verdict(file);
    const edits = program.name === 'crontab' && !hasOption(program, /^-l$/);
    if (edits && (program.args.length > 0 || program.command.from !== null)) return verdict('a crontab');
  }
  return null;
};

export const callRules: readonly Rule<CallSubject>[] = [
  knownSecret,
  hiddenCommand,
  readsCredentials,
  startsLater,
  ...destroyRules,
  ...escapeRules,
];
