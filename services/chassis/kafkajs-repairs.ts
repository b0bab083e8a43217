import { hideAbortedRecords } from './aborted-records.ts';
import { rememberTransactionCoordinators } from './coordinator-cache.ts';
import { passEmptiedBatches } from './emptied-batches.ts';
import { leaveSilentBrokers } from './kafkajs-connections.ts';
import { keepMembersInGroup } from './kafkajs-group.ts';
import { repairSends } from './kafkajs-sends.ts';

// First: the function that it replaces must not have been used yet.
repairSends();
rememberTransactionCoordinators();
hideAbortedRecords();
passEmptiedBatches();
leaveSilentBrokers();
keepMembersInGroup();
