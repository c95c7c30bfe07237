"""What may stand in a todo."""

from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import Field, HiddenField, StringField
from wtforms.validators import ValidationError

from app.todos.models import DESCRIPTION_LENGTH
from app.web.fields import at_most, no_control_characters, normalize, one_line, strip


def description_field(label: object) -> StringField:
    return StringField(
        label,
        filters=[normalize, strip],
        validators=[at_most(DESCRIPTION_LENGTH), no_control_characters, one_line],
    )


class TodoForm(FlaskForm):
    description = description_field(_("New todo"))

    def validate_description(self, field: Field) -> None:
        if not field.data:
            raise ValidationError(_("Please write what there is to do."))


class ChangeTodoForm(TodoForm):
    """Either field may come alone: the tick of a todo sends no text, and its editor does not say whether it is done."""

    description = description_field(_("Todo"))
    completed = HiddenField()

    def validate_description(self, field: Field) -> None:
        if field.raw_data or not self.completed.raw_data:
            super().validate_description(field)

    def validate_completed(self, field: Field) -> None:
        if field.raw_data not in ([], ["0"], ["1"]):
            raise ValidationError(_("Go back and use the buttons of the page."))

    def changes(self) -> dict[str, Any]:
        """field: value, of the fields that were sent."""
        values = {"description": self.description.data, "completed": self.completed.data == "1"}
        return {name: value for name, value in values.items() if self[name].raw_data}
