import type { ChannelOptions } from '@grpc/grpc-js';
import { LIMITS } from '../model/limits.ts';

/** A stream that is not accepted by then is given up. */
export const OPENING_MS_MAX = 2_000;

/**
 * A peer that is gone without a word is noticed after this, so that a new connection is tried. Whether it is alive is
 * the business of leases and lag.
 */
const KEEPALIVE_MS = 10_000;
const KEEPALIVE_TIMEOUT_MS = 5_000;

const SHARED: ChannelOptions = {
  'grpc.keepalive_time_ms': KEEPALIVE_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  'grpc.max_receive_message_length': LIMITS.frameBytesReceivedMax,
  'grpc.max_send_message_length': LIMITS.frameBytesReceivedMax,
};

/** Of each connection to another node. */
export const CLIENT_OPTIONS: ChannelOptions = {
  ...SHARED,
  'grpc.enable_channelz': 0,
  // A connection of its own for each stream: gRPC shares them else.
  'grpc.use_local_subchannel_pool': 1,
  // A new attempt has a new channel; this one is not to try again by itself.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 500,
  // No copies are kept for a repetition: else a write would be "done" before the socket has taken it.
  'grpc.enable_retries': 0,
  'grpc.per_rpc_retry_buffer_size': 0,
  // Between nodes there is no proxy, whatever the environment says.
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
};

/** With channelz, though nobody asks it: without it `forceShutdown` of grpc-js 1.14 finds no connection to cut. */
export const SERVER_OPTIONS: ChannelOptions = SHARED;
