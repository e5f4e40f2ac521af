/** Who causes what follows from another service's event. */
export const actor = "service:tracking";
