/**
 * The numbers of the field, branded: an offset, a file position and a count are all `number`, and mixing them
 * up is the likeliest silent bug of a log. A brand costs nothing at run time. 64-bit integers of the disk and
 * wire become safe-integer doubles in the codecs, and only there.
 */
declare const brand: unique symbol;
type Branded<Name extends string> = number & { readonly [brand]: Name };

/** Position of a record in a partition's log; dense when written, kept for ever. */
export type Offset = Branded<'Offset'>;
/** Byte position inside one file. */
export type FilePosition = Branded<'FilePosition'>;
/** Epoch of one leadership of a partition; grows by at least one with every election and every start. */
export type LeaderEpoch = Branded<'LeaderEpoch'>;
export type PartitionId = Branded<'PartitionId'>;
export type NodeId = Branded<'NodeId'>;
/** One life of one node; grows with every start. */
export type Incarnation = Branded<'Incarnation'>;
/** Epoch of one controller's reign. */
export type ControllerEpoch = Branded<'ControllerEpoch'>;
/** Version of a partition's znode; grows by one with every change of its state. */
export type PartitionVersion = Branded<'PartitionVersion'>;
/** Internal id of a database (SELECT's number is mapped to it, so that SWAPDB can be a record). */
export type DatabaseId = Branded<'DatabaseId'>;
/** Milliseconds since 1970 by a wall clock. 0 where it stands for "no expiry". */
export type EpochMillis = Branded<'EpochMillis'>;
/** Milliseconds of a monotonic clock; comparable only with others of the same process. */
export type MonotonicMillis = Branded<'MonotonicMillis'>;
/** Counts a producer's write commands from 1 (R14). */
export type ProducerSequence = Branded<'ProducerSequence'>;
/** Hash slot 0..16383. */
export type Slot = Branded<'Slot'>;

export const asOffset = (value: number): Offset => value as Offset;
export const asLeaderEpoch = (value: number): LeaderEpoch => value as LeaderEpoch;
export const asPartitionId = (value: number): PartitionId => value as PartitionId;
export const asNodeId = (value: number): NodeId => value as NodeId;
export const asIncarnation = (value: number): Incarnation => value as Incarnation;
export const asControllerEpoch = (value: number): ControllerEpoch => value as ControllerEpoch;
export const asPartitionVersion = (value: number): PartitionVersion => value as PartitionVersion;
export const asDatabaseId = (value: number): DatabaseId => value as DatabaseId;
export const asEpochMillis = (value: number): EpochMillis => value as EpochMillis;
export const asMonotonicMillis = (value: number): MonotonicMillis => value as MonotonicMillis;
export const asProducerSequence = (value: number): ProducerSequence => value as ProducerSequence;
export const asSlot = (value: number): Slot => value as Slot;

/** Hash slots of a keyspace, as Redis Cluster has them. */
export const SLOT_COUNT = 16384;

/** "No expiry", wherever an expiry is asked for. */
export const NO_EXPIRY = asEpochMillis(0);
