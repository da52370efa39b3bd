/** Exit statuses, as sysexits.h has them where it has one. */

export const OK = 0;
export const FAILED = 1;
export const USAGE = 64;
export const CONFIG = 78;
