import { stem } from './words.ts';

/** Roles that can do any work, should they exist. */
export type GeneralRole = 'researcher' | 'analyst' | 'developer';

export interface Aspect {
  readonly key: string;
  readonly goal: string;
}

/** A step of a strategy. Its needs are the keys of steps before it. */
export interface Phase {
  /** Begins the ids of its tasks. */
  readonly key: string;
  readonly goal: string;
  readonly done: string;
  readonly needs: readonly string[];
  /** The general role for it; the other two follow in the order of `GeneralRole`. */
  readonly general: GeneralRole;
  /** How to undo it. */
  readonly undo?: string;
  /**
   * This step is done once for each part that the brief names: `<each>: <part>`. Where the brief names none, it is done
   * once for each aspect; aspects are also what it is split into when more tasks are asked for.
   */
  readonly each?: { readonly verb: string; readonly aspects: readonly Aspect[] };
}

export type StrategyName = 'research' | 'software' | 'analysis' | 'planning' | 'deployment';

export interface Strategy {
  readonly name: StrategyName;
  /** Weights of the words that speak for it. */
  readonly words: ReadonlyMap<string, number>;
  /** In an order in which needs come first; one of them has `each`. */
  readonly phases: readonly Phase[];
}

function weights(heavy: string, medium: string, light: string): ReadonlyMap<string, number> {
  const words = new Map<string, number>();
  const put = (list: string, weight: number) => {
    for (const word of list.split(' ')) words.set(stem(word), weight);
  };
  put(light, 1);
  put(medium, 2);
  put(heavy, 3);
  return words;
}

const research: Strategy = {
  name: 'research',
  words: weights(
    'research investigate literature survey bibliography',
    'study studies paper papers sources evidence compare comparison explore overview history learn',
    'question answer article summarise summarize read topic background explain',
  ),
  phases: [
    {
      key: 'questions',
      goal: 'Write down the questions that have to be answered, what their terms mean and what would count as an answer.',
      done: 'each question can be answered by something that can be found, and none that the mission asks is left out',
      needs: [],
      general: 'researcher',
    },
    {
      key: 'find',
      goal: 'Find what answers the questions.',
      done: 'every statement has its source, and what could not be found is named',
      needs: ['questions'],
      general: 'researcher',
      each: {
        verb: 'Find out about',
        aspects: [
          {
            key: 'known',
            goal: 'Collect what is established about the subject, a source behind every statement.',
          },
          {
            key: 'disputed',
            goal: 'Collect what is disputed, new or uncertain, each side by its strongest evidence.',
          },
          {
            key: 'practice',
            goal: 'Look for examples in practice: who tried it, how, and with which outcome.',
          },
        ],
      },
    },
    {
      key: 'compare',
      goal: 'Put all findings side by side: where they agree, where they contradict one another, which gap remains.',
      done: 'every contradiction is either explained or named as open',
      needs: ['find'],
      general: 'analyst',
    },
    {
      key: 'report',
      goal: 'Write the report: an answer to every question, the finding it rests on and how sure it is.',
      done: 'a reader who knows nothing else understands the answers, and finds the source of each',
      needs: ['questions', 'compare'],
      general: 'researcher',
    },
    {
      key: 'check',
      goal: 'Check claims and citations of the report by going back to where they come from.',
      done: 'each claim was looked up, and what does not hold is listed with its place',
      needs: ['find', 'report'],
      general: 'analyst',
    },
  ],
};

const software: Strategy = {
  name: 'software',
  words: weights(
    'code software implement bug refactor program programme endpoint frontend backend api typescript javascript python',
    'build develop app application library website web cli script feature function module fix java rust parser sdk',
    'test unit interface debug page database component command',
  ),
  phases: [
    {
      key: 'design',
      goal: 'Design the change: components, their interfaces and data, and what stays untouched.',
      done: 'each component has an owner among the tasks that follow, and their interfaces are written down',
      needs: [],
      general: 'developer',
    },
    {
      key: 'build',
      goal: 'Write the code.',
      done: 'it runs, it keeps to the design, and the command that shows this is named',
      needs: ['design'],
      general: 'developer',
      each: {
        verb: 'Build',
        aspects: [
          {
            key: 'core',
            goal: 'Write the core: the rules and data at the heart of it, apart from input and output.',
          },
          {
            key: 'edges',
            goal: 'Connect it to people and other systems: input, output, settings, error messages.',
          },
        ],
      },
    },
    {
      key: 'test',
      goal: 'Write tests and run them: usual behaviour, limits, errors; each would fail were the behaviour wrong.',
      done: 'all tests pass, and each important one was seen to fail once',
      needs: ['design', 'build'],
      general: 'developer',
    },
    {
      key: 'document',
      goal: 'Document how to install, start and use it, by examples that were tried.',
      done: 'somebody who has never seen it gets it to run from the text alone',
      needs: ['build'],
      general: 'developer',
    },
    {
      key: 'review',
      goal: 'Review everything against the design: what is wrong, missing, unclear or unsafe.',
      done: 'every finding names file and line and says what to do, or it is said that there is none',
      needs: ['design', 'build', 'test', 'document'],
      general: 'analyst',
    },
  ],
};

const analysis: Strategy = {
  name: 'analysis',
  words: weights(
    'analyse analyze analysis statistics trend dataset assess evaluate evaluation',
    'data metric metrics cause causes measure risk figures numbers compare correlation forecast audit why',
    'cost costs report sales log logs table csv impact rate',
  ),
  phases: [
    {
      key: 'frame',
      goal: 'State the question, the measure that decides it, and which data it takes.',
      done: 'it is clear which outcome would mean yes and which would mean no',
      needs: [],
      general: 'analyst',
    },
    {
      key: 'collect',
      goal: 'Collect and clean the data; note origin, gaps and what they cannot show.',
      done: 'each set has an origin, a count of its records and a list of what is missing in it',
      needs: ['frame'],
      general: 'researcher',
    },
    {
      key: 'examine',
      goal: 'Examine the data.',
      done: 'every result has its numbers, the way they were got and how sure they are',
      needs: ['collect'],
      general: 'analyst',
      each: {
        verb: 'Analyse',
        aspects: [
          {
            key: 'patterns',
            goal: 'Look for patterns over time: trends, seasons, outliers, all in numbers.',
          },
          {
            key: 'causes',
            goal: 'List possible causes and say which of them the evidence supports or rules out.',
          },
          {
            key: 'groups',
            goal: 'Break the figures down by group and place, and say where the picture differs.',
          },
        ],
      },
    },
    {
      key: 'conclude',
      goal: 'Draw conclusions and recommend what follows from them, options with their consequences.',
      done: 'each conclusion names the results that it rests on, and what would overturn it',
      needs: ['frame', 'examine'],
      general: 'analyst',
    },
    {
      key: 'recompute',
      goal: 'Recompute the main results in another way and compare.',
      done: 'every main figure was got twice, and each difference is explained',
      needs: ['collect', 'examine', 'conclude'],
      general: 'developer',
    },
  ],
};

const planning: Strategy = {
  name: 'planning',
  words: weights(
    'plan planning roadmap schedule milestone timeline agenda itinerary',
    'organise organize strategy prioritise prioritize budget goal goals event workshop conference',
    'prepare team week month quarter deadline resources steps travel launch',
  ),
  phases: [
    {
      key: 'goals',
      goal: 'Write down goals, constraints and how anyone can tell that they are reached.',
      done: 'each goal can be checked, and goals that pull against each other are named',
      needs: [],
      general: 'analyst',
    },
    {
      key: 'work-out',
      goal: 'Work out what has to happen.',
      done: 'each step has an effort, an owner and what it waits for',
      needs: ['goals'],
      general: 'researcher',
      each: {
        verb: 'Work out',
        aspects: [
          {
            key: 'steps',
            goal: 'List all steps it takes, which of them wait for which, and the effort of each.',
          },
          {
            key: 'resources',
            goal: 'List people, money, rooms, tools that are required, and where they come from.',
          },
          { key: 'dates', goal: 'Set dates and milestones, slack included, around what cannot move.' },
        ],
      },
    },
    {
      key: 'risks',
      goal: 'Name what could go wrong, how likely and how bad, with an answer to each.',
      done: 'each risk has a sign by which it is noticed, and somebody who acts on it',
      needs: ['work-out'],
      general: 'analyst',
    },
    {
      key: 'write-plan',
      goal: 'Write one document that brings all of it together: order, dates, owners, answers to risks.',
      done: 'somebody who was not there can carry it out',
      needs: ['goals', 'work-out', 'risks'],
      general: 'researcher',
    },
    {
      key: 'rehearse',
      goal: 'Walk through the document day by day; report contradictions, gaps, overloaded owners.',
      done: 'each day was looked at, and what does not work is listed',
      needs: ['write-plan'],
      general: 'analyst',
    },
  ],
};

const deployment: Strategy = {
  name: 'deployment',
  words: weights(
    'deploy deployment install rollout provision kubernetes docker infrastructure terraform production',
    'platform cluster server servers tls certificate certificates monitoring hosting configure nginx cloud migrate',
    'release service services proxy cache database secrets environment network backup upgrade',
  ),
  phases: [
    {
      key: 'prepare',
      goal: 'List what has to be there before: versions, names, ports, addresses, rights, free space.',
      done: 'each item is either there or named as missing',
      needs: [],
      general: 'researcher',
    },
    {
      key: 'set-up',
      goal: 'Set everything up.',
      done: 'it is in place, was checked by a command that is named, and doing it again changes nothing',
      needs: ['prepare'],
      general: 'developer',
      undo: 'Remove or restore whatever was set up',
      each: {
        verb: 'Set up',
        aspects: [
          {
            key: 'configuration',
            goal: 'Write the configuration files of all services, each value in one place.',
          },
          {
            key: 'security',
            goal: 'Make certificates, secrets and access rules, readable by their owner alone.',
          },
          {
            key: 'watching',
            goal: 'Set up monitoring: metrics, dashboards, alerts that somebody can act on.',
          },
        ],
      },
    },
    {
      key: 'start',
      goal: 'Start it step by step, and stop at the first step whose health check does not pass.',
      done: 'everything that was set up is up, or it is back as it was and the reason is said',
      needs: ['set-up'],
      general: 'developer',
      undo: 'Stop what was started, in reverse order',
    },
    {
      key: 'verify',
      goal: 'Verify from outside that everything works together, and fail if any of it is not so.',
      done: 'each part was used the way its users will, and the outcome of each check is written down',
      needs: ['set-up', 'start'],
      general: 'analyst',
    },
    {
      key: 'hand-over',
      goal: 'Write the operating notes: how to watch, back up, upgrade and undo it.',
      done: 'every command in the notes was run once',
      needs: ['set-up', 'verify'],
      general: 'developer',
    },
  ],
};

/** In the order that decides among equals. */
export const strategies: readonly [Strategy, ...Strategy[]] = [
  research,
  software,
  analysis,
  planning,
  deployment,
];
