/** What a command runs, seen through what only starts it: `sudo -u x env A=1 timeout 5 /bin/rm -rf /` is `rm`. */
import { type Command, readScript, type Word } from './shell.ts';

export interface Program {
  /** Without its directory. */
  readonly name: string;
  readonly args: readonly Word[];
  readonly command: Command;
}

export const shells = new Set(['sh', 'bash', 'dash', 'zsh', 'ksh', 'ash', 'fish']);
const interpreter = /^(?:python[\d.]*|node|nodejs|deno|bun|perl|ruby|php)$/;
export const runsCode = (name: string): boolean => shells.has(name) || interpreter.test(name);

const DEEPEST = 6;
/** What runs another program: with the options that take a word. */
const starters: Readonly<Record<string, RegExp>> = {
  sudo: /^-[ugphCTRrtD]$/,
  doas: /^-[uC]$/,
  env: /^-[uCS]$/,
  nohup: /^$/,
  time: /^-[fo]$/,
  nice: /^-n$/,
  ionice: /^-[cnp]$/,
  timeout: /^-[ks]$/,
  exec: /^-a$/,
  command: /^$/,
  builtin: /^$/,
  stdbuf: /^-[ioe]$/,
  setsid: /^$/,
  xargs: /^-[aEIILnPsd]$/,
  busybox: /^$/,
};

/** The programs of a script, those of `sh -c`, `eval` and `find -exec` too. */
export function programsOf(commands: readonly Command[], depth = 0): readonly Program[] {
  return commands.flatMap((command) => {
    const program = programOf(command.words, command);
    if (program === null) return [];
    if (depth >= DEEPEST) return [program];
    return [program, ...programsOf(scriptsIn(program), depth + 1), ...found(program)];
  });
}

function programOf(given: readonly Word[], command: Command): Program | null {
  let words = given;
  for (let seen = 0; seen < 16; seen++) {
    const first = words.findIndex(({ text }) => !/^\w+\+?=/.test(text));
    const word = words[first];
    if (word === undefined) return null;
    const name = word.text.slice(word.text.lastIndexOf('/') + 1);
    const args = words.slice(first + 1);
    const takesWord = starters[name];
    if (takesWord === undefined || !Object.hasOwn(starters, name)) return { name, args, command };
    let next = 0;
    while (args[next]?.text.startsWith('-')) next += takesWord.test(args[next]?.text ?? '') ? 2 : 1;
    if (name === 'timeout') next++;
    words = args.slice(next);
    if (words.length === 0) return { name, args, command };
  }
  return null;
}

/** Scripts that a program is given as a word or as input. */
function scriptsIn({ name, args, command }: Program): readonly Command[] {
  if (name === 'eval') return readScript(args.map(({ text }) => text).join(' '));
  if (!shells.has(name) && name !== 'su') return [];
  const option = args.findIndex(({ text }) => /^-[a-zA-Z]*c$/.test(text));
  const script = option < 0 ? undefined : args[option + 1];
  return [
    ...(script ? readScript(script.text) : []),
    ...(command.input === '' ? [] : readScript(command.input)),
  ];
}

/** `find / -exec rm {} +` */
function found({ name, args, command }: Program): readonly Program[] {
  if (name !== 'find') return [];
  const exec = args.findIndex(({ text }) => /^-(?:exec|execdir|ok)$/.test(text));
  const program = exec < 0 ? null : programOf(args.slice(exec + 1), command);
  if (program === null) return [];
  // It runs on what is found: the places to look in are its arguments.
  const places = args.slice(0, exec).filter(({ text }) => !text.startsWith('-'));
  return [{ ...program, args: [...program.args, ...places] }];
}

/** The code in `python -c`, `node -e`, `perl -e`; empty for anything else. */
export function inlineCode({ name, args }: Program): string {
  if (!interpreter.test(name)) return '';
  const option = args.findIndex(({ text }) => /^-[a-zA-Z]*[ceEr]$|^--eval$|^--print$/.test(text));
  return option < 0 ? '' : (args[option + 1]?.text ?? '');
}

export const hasOption = ({ args }: Program, option: RegExp): boolean =>
  args.some(({ text }) => option.test(text));

/** The words that are no options. */
export const operands = ({ args }: Program): readonly string[] =>
  args.map(({ text }) => text).filter((text) => !text.startsWith('-'));

/** Of a longer line of pipes, what is nearest. */
const LONGEST_LINE = 16;

/** The programs whose output reaches this one. */
export function upstream(command: Command): readonly Program[] {
  const all: Program[] = [];
  for (let next = command.from; next !== null && all.length < LONGEST_LINE; next = next.from) {
    const program = programOf(next.words, next);
    if (program) all.push(program);
  }
  return all;
}
