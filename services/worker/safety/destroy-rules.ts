/** Rules against commands that destroy what is not the mission's. */
import type { CallSubject } from './call-rules.ts';
import { isDevice, isSystem, plainPath } from './paths.ts';
import { hasOption, operands, type Program } from './programs.ts';
import { excerpt, type Rule } from './verdict.ts';

const recursive = /^(?:-[a-zA-Z]*[rR][a-zA-Z]*|--recursive)$/;

const destroysSystem: Rule<CallSubject> = ({ programs }) => {
  for (const program of programs) {
    const { name } = program;
    const removes =
      (name === 'rm' && (hasOption(program, recursive) || hasOption(program, /^--no-preserve-root$/))) ||
      name === 'shred' ||
      (name === 'find' && hasOption(program, /^-delete$/));
    const target = removes ? operands(program).map(plainPath).find(isSystem) : undefined;
    if (target !== undefined)
      return { rule: 'destroys_system', reason: `${name} removes ${excerpt(target)}` };
  }
  return null;
};

const opensSystem: Rule<CallSubject> = ({ programs }) => {
  for (const program of programs) {
    if (!/^(?:chmod|chown|chgrp|setfacl)$/.test(program.name) || !hasOption(program, recursive)) continue;
    const target = operands(program).slice(1).map(plainPath).find(isSystem);
    if (target !== undefined)
      return {
        rule: 'opens_system',
        reason: `${program.name} changes who may use all of ${excerpt(target)}`,
      };
  }
  return null;
};

const formats = /^(?:mkfs(?:\.\w+)?|mke2fs|mkswap|wipefs|blkdiscard|sgdisk|sfdisk|fdisk|parted|cryptsetup)$/;

const overwritesDevice: Rule<CallSubject> = ({ programs }) => {
  for (const program of programs) {
    const words = program.args.map(({ text }) => text);
    const targets = program.command.redirects
      .filter(({ operator }) => operator.includes('>'))
      .map(({ target }) => target.text);
    if (program.name === 'dd') targets.push(...words.filter((word) => word.startsWith('of=')));
    if (/^(?:shred|tee|cp)$/.test(program.name) || formats.test(program.name)) targets.push(...words);
    const device = targets.map(plainPath).find(isDevice);
    if (device !== undefined)
      return { rule: 'overwrites_device', reason: `${program.name} writes to ${excerpt(device)}` };
  }
  return null;
};

const bomb = /([\w:.]{1,30})\s{0,8}\(\)\s{0,8}\{\s{0,8}\1\s{0,8}\|\s{0,8}\1\s{0,8}&\s{0,8}\}/;

const forkBomb: Rule<CallSubject> = ({ scripts }) =>
  scripts.some((script) => script.includes('()') && bomb.test(script))
    ? { rule: 'fork_bomb', reason: 'a function calls itself twice, in the background' }
    : null;

const stops = (program: Program): boolean => {
  const words = program.args.map(({ text }) => text);
  switch (program.name) {
    case 'shutdown':
    case 'reboot':
    case 'poweroff':
    case 'halt':
    case 'killall5':
      return !hasOption(program, /^--(?:help|version)$/);
    case 'init':
    case 'telinit':
      return /^[06]$/.test(words[0] ?? '');
    case 'systemctl':
      return words.some((word) => /^(?:reboot|poweroff|halt|kexec)$/.test(word));
    case 'kill':
      return words.length > 0 && /^-?1$/.test(words.at(-1) ?? '') && words.join(' ') !== '-1';
    default:
      return false;
  }
};

const stopsMachine: Rule<CallSubject> = ({ programs }) => {
  const program = programs.find(stops);
  return program ? { rule: 'stops_machine', reason: `${program.name} stops all that runs here` } : null;
};

export const destroyRules: readonly Rule<CallSubject>[] = [
  destroysSystem,
  opensSystem,
  overwritesDevice,
  forkBomb,
  stopsMachine,
];
