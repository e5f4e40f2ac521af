/** The language of filters and orders, for `--help`. */
export const filterHelp = `
A filter is comparisons joined by AND:
  metrics.KEY > 0.9            the last value; metrics.KEY.min, .max .mean .first .count of all; = != < <= > >=
  params.KEY = '0.1'           a parameter's text; = != LIKE ILIKE IN NOT IN
  tags.KEY LIKE '%x_'          a tag's text; % is any text, _ any character; ILIKE takes no notice of case
  status IN ('RUNNING')        QUEUED RUNNING COMPLETED FAILED KILLED; run_name, user_id, job_id, run_id, parent_run_id
  start_time > '2026-11-21'    a time in quotes or milliseconds since 1970; end_time, created_at, updated_at
  dataset.name = 'digits'      dataset.digest and dataset.context too
  params.KEY IS NULL           or IS NOT NULL: whether a run has it
A key with spaces and the like stands in backticks or double quotes: tags."a b". Quoted, metrics.\`loss.min\` is the
metric of that name. A run passes no comparison with what it does not have. NaN is equal to nothing.

An order is one or more --order-by 'metrics.loss.min', 'params.lr DESC', 'end_time'. Runs without the value come last,
and before them those with NaN; equal ones by start, newest first.`;
