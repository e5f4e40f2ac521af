/** The largest message that a service takes or gives, which is gRPC's own default; clients refuse what is larger. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
