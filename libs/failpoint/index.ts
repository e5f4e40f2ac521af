/** Named points at which a test can make a process die, as a power cut would. */
export { crashPoint } from "./crash-point.ts";
