"""The rows that the units of runs used, found again by what each result noted of them."""

import portfolios.models.fields
from django.db import migrations, models

#: A row was known at the run's time, and is the client's own or one that no own row stands in for.
_KNOWN = "{row}.recorded_at <= run.known_at AND ({row}.superseded_at IS NULL OR {row}.superseded_at > run.known_at)"
_FIRST = """
    result.id AS result_id, run.id AS run_id, unit.name AS unit, {kind!r} AS kind,
    lpad(unit.ordinal::text, 3, '0') || {rank!r} || {order} || lpad(row.id::text, 19, '0') AS key,
    {date} AS date, {instrument} AS instrument_id, {series} AS series, {own} AS own,
    {source} AS source, {recorded} AS recorded_at
"""
_FROM = """
    FROM analytics_result result
    JOIN analytics_unit unit ON unit.id = result.unit_id
    JOIN analytics_run run ON run.id = unit.run_id
"""
_VALUES = (
    ("quantity", "numeric"), ("close", "numeric"), ("total_return_index", "double precision"),
    ("rate", "numeric"), ("multiple", "numeric"), ("reference_index_id", "integer"),
    ("expense_ratio", "numeric"), ("swap_spread", "numeric"), ("new_shares", "bigint"),
    ("old_shares", "bigint"), ("amount", "numeric"), ("bid", "numeric"), ("ask", "numeric"),
    ("last", "numeric"), ("implied_volatility", "double precision"), ("underlying_price", "numeric"),
)


def _branch(kind, rank, rows, *, order, date, values, instrument="row.instrument_id", series="''",
            own="row.client_id IS NOT NULL", source="row.source", recorded="row.recorded_at"):
    first = _FIRST.format(kind=kind, rank=rank, order=order, date=date, instrument=instrument,
                          series=series, own=own, source=source, recorded=recorded)
    columns = ", ".join(f"{values.get(name, 'NULL')}::{kind_} AS {name}" for name, kind_ in _VALUES)
    return f"SELECT {first}, {columns} {_FROM} {rows}"


def _no_own(table, same):
    equal = " AND ".join(f"own.{name} = row.{name}" for name in same)
    return (f"(row.client_id IS NOT NULL OR NOT EXISTS (SELECT FROM {table} own WHERE own.client_id = run.client_id"
            f" AND {equal} AND {_KNOWN.format(row='own')}))")


_INSTRUMENT_DAY = "lpad(row.instrument_id::text, 10, '0') || {day}::text"
_BRANCHES = (
    _branch(
        "position", "0",
        """JOIN portfolios_positionset held
             ON held.id = replace(replace(result.inputs ->> 'position_set', 'ps_', ''), '-', '')::uuid
           JOIN portfolios_position row ON row.position_set_id = held.id""",
        order="''", date="held.as_of", source="held.source", recorded="held.recorded_at", own="true",
        values={"quantity": "row.quantity"},
    ),
    _branch(
        "price", "1",
        f"""CROSS JOIN LATERAL jsonb_to_recordset(result.inputs #> '{{used,prices}}') part (instruments jsonb, spans jsonb)
            CROSS JOIN LATERAL jsonb_array_elements_text(part.instruments) wanted (pk)
            CROSS JOIN LATERAL jsonb_array_elements(part.spans) span (days)
            JOIN portfolios_price row ON row.instrument_id = wanted.pk::int
             AND row.session BETWEEN (span.days ->> 0)::date AND (span.days ->> 1)::date
             AND {_KNOWN.format(row='row')}
            WHERE {_no_own('portfolios_price', ('instrument_id', 'session'))}""",
        order=_INSTRUMENT_DAY.format(day="row.session"), date="row.session",
        values={"close": "row.close", "total_return_index": "row.total_return_index"},
    ),
    _branch(
        "fx_rate", "2",
        f"""CROSS JOIN LATERAL jsonb_to_recordset(result.inputs #> '{{used,fx}}') part (base text, quote text, spans jsonb)
            CROSS JOIN LATERAL jsonb_array_elements(part.spans) span (days)
            JOIN portfolios_fxrate row
              ON ((row.base, row.quote) = (part.base, part.quote) OR (row.base, row.quote) = (part.quote, part.base))
             AND row.session BETWEEN (span.days ->> 0)::date AND (span.days ->> 1)::date
             AND {_KNOWN.format(row='row')}
            WHERE {_no_own('portfolios_fxrate', ('base', 'quote', 'session'))}""",
        order="row.base || row.quote || row.session::text", date="row.session", instrument="NULL::integer",
        series="row.base || row.quote", values={"rate": "row.rate"},
    ),
    _branch(
        "short_rate", "3",
        f"""CROSS JOIN LATERAL jsonb_array_elements(result.inputs #> '{{used,rates}}') span (days)
            JOIN LATERAL (
                SELECT DISTINCT ON (one.session) one.* FROM portfolios_rateobservation one
                WHERE one.series IN ('DTB3', 'IRX_13W')
                  AND one.session BETWEEN (span.days ->> 0)::date AND (span.days ->> 1)::date
                  AND {_KNOWN.format(row='one')}
                ORDER BY one.session, one.series, one.client_id NULLS LAST
            ) row ON true""",
        order="row.session::text", date="row.session", instrument="NULL::integer", series="row.series",
        values={"rate": "row.value"},
    ),
    _branch(
        "leverage_terms", "4",
        """CROSS JOIN LATERAL jsonb_to_recordset(result.inputs #> '{used,terms}') part (instrument integer, valid_from date)
           JOIN LATERAL (
               SELECT one.* FROM portfolios_leverageterms one
               WHERE one.instrument_id = part.instrument AND one.valid_from = part.valid_from
                 AND one.recorded_at <= run.known_at
               ORDER BY one.client_id NULLS LAST LIMIT 1
           ) row ON true""",
        order=_INSTRUMENT_DAY.format(day="row.valid_from"), date="row.valid_from",
        values={"multiple": "row.multiple", "reference_index_id": "row.reference_index_id",
                "expense_ratio": "row.expense_ratio", "swap_spread": "row.swap_spread"},
    ),
    # Splits between a holding's day and the date, and what is between the closes of a chained history.
    _branch(
        "corporate_action", "5",
        f"""JOIN portfolios_corporateaction row ON {_KNOWN.format(row='row')}
            WHERE (row.kind = 'split' AND EXISTS (
                SELECT FROM jsonb_to_recordset(result.inputs #> '{{used,splits}}') part (instrument integer, after date)
                WHERE part.instrument = row.instrument_id AND row.ex_date > part.after AND row.ex_date <= run.as_of
            )) OR EXISTS (
                SELECT FROM jsonb_to_recordset(result.inputs #> '{{used,prices}}') part (instruments jsonb, spans jsonb)
                CROSS JOIN LATERAL jsonb_array_elements(part.spans) span (days)
                WHERE part.instruments @> to_jsonb(row.instrument_id)
                  AND row.ex_date > (span.days ->> 0)::date AND row.ex_date <= (span.days ->> 1)::date
                  AND EXISTS (
                    SELECT FROM portfolios_price priced WHERE priced.instrument_id = row.instrument_id
                     AND priced.session BETWEEN (span.days ->> 0)::date AND (span.days ->> 1)::date
                     AND priced.total_return_index IS NULL AND {_KNOWN.format(row='priced')})
            )""",
        order=_INSTRUMENT_DAY.format(day="row.ex_date"), date="row.ex_date", series="row.kind",
        values={"new_shares": "row.new_shares", "old_shares": "row.old_shares", "amount": "row.amount"},
    ),
    _branch(
        "option_quote", "6",
        f"""JOIN LATERAL (
                SELECT DISTINCT ON (one.instrument_id) one.*
                FROM portfolios_optionquote one
                JOIN portfolios_optionterms terms ON terms.instrument_id = one.instrument_id
                WHERE (one.instrument_id IN (SELECT pk::int FROM jsonb_array_elements_text(result.inputs #> '{{used,quotes}}') pk)
                   OR (terms.underlying_id IN (SELECT pk::int FROM jsonb_array_elements_text(result.inputs #> '{{used,chains}}') pk)
                       AND terms.expiry BETWEEN run.as_of AND run.as_of + 100 AND one.bid > 0 AND one.ask >= one.bid
                       AND abs(terms.strike / coalesce(one.underlying_price, terms.strike) - 1) <= 0.1))
                  AND one.quoted_at < run.as_of + 1 AND one.quoted_at >= run.as_of - 7
                  AND {_KNOWN.format(row='one')}
                ORDER BY one.instrument_id, one.quoted_at DESC, one.client_id NULLS LAST
            ) row ON true""",
        order="lpad(row.instrument_id::text, 10, '0')", date="row.quoted_at::date",
        values={"bid": "row.bid", "ask": "row.ask", "last": "row.last",
                "implied_volatility": "row.implied_volatility", "underlying_price": "row.underlying_price"},
    ),
)


class Migration(migrations.Migration):
    dependencies = [
        ('analytics', '0006_open_runs'),
        ('portfolios', '0004_quotes_are_corrected_like_prices'),
    ]

    operations = [
        migrations.CreateModel(
            name='RunInput',
            fields=[
                ('key', models.TextField(primary_key=True, serialize=False)),
                ('unit', models.TextField()),
                ('kind', models.TextField(choices=[('position', 'Position'), ('price', 'Price'), ('fx_rate', 'Fx Rate'), ('short_rate', 'Short Rate'), ('leverage_terms', 'Leverage Terms'), ('corporate_action', 'Corporate Action'), ('option_quote', 'Option Quote')])),
                ('date', models.DateField()),
                ('series', models.TextField()),
                ('own', models.BooleanField()),
                ('source', models.TextField()),
                ('recorded_at', models.DateTimeField()),
                ('quantity', portfolios.models.fields.NumericField(null=True)),
                ('close', portfolios.models.fields.NumericField(null=True)),
                ('total_return_index', models.FloatField(null=True)),
                ('rate', portfolios.models.fields.NumericField(null=True)),
                ('multiple', portfolios.models.fields.NumericField(null=True)),
                ('expense_ratio', portfolios.models.fields.NumericField(null=True)),
                ('swap_spread', portfolios.models.fields.NumericField(null=True)),
                ('new_shares', models.BigIntegerField(null=True)),
                ('old_shares', models.BigIntegerField(null=True)),
                ('amount', portfolios.models.fields.NumericField(null=True)),
                ('bid', portfolios.models.fields.NumericField(null=True)),
                ('ask', portfolios.models.fields.NumericField(null=True)),
                ('last', portfolios.models.fields.NumericField(null=True)),
                ('implied_volatility', models.FloatField(null=True)),
                ('underlying_price', portfolios.models.fields.NumericField(null=True)),
            ],
            options={
                'db_table': 'analytics_runinput',
                'managed': False,
            },
        ),
        migrations.RunSQL(
            # Seen with the rights of whoever asks: row-level security holds as on the tables.
            sql="CREATE VIEW analytics_runinput WITH (security_invoker = true) AS "
            + " UNION ALL ".join(_BRANCHES)
            + "; GRANT SELECT ON analytics_runinput TO app;",
            reverse_sql="DROP VIEW analytics_runinput;",
        ),
    ]
